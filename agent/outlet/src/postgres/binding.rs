//! The `tls-server-end-point` channel binding (RFC 5929 section 4): a hash of the server's certificate.
//! The hash is the one of the certificate's own signature; signatures without one (Ed25519, PSS) give no binding.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The binding of a certificate in DER, or `None` when its signature names no hash.
pub(super) fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = hash_for(signature_algorithm(certificate)?)?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

/// The object identifier of `Certificate.signatureAlgorithm`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(outer, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(identifier)
}

/// Content of the first DER element, which must have `tag`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (
                digits
                    .iter()
                    .fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// MD5 and SHA-1 are replaced by SHA-256, as the RFC says.
fn hash_for(identifier: &[u8]) -> Option<&'static Algorithm> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    if let Some(rsa) = identifier.strip_prefix(RSA) {
        return match rsa {
            [4 | 5 | 11] => Some(&SHA256),
            [12] => Some(&SHA384),
            [13] => Some(&SHA512),
            _ => None,
        };
    }
    match identifier.strip_prefix(ECDSA)? {
        [1] | [3, 2] => Some(&SHA256),
        [3, 3] => Some(&SHA384),
        [3, 4] => Some(&SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn certificate_of(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["db".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn hashes_as_the_signature_does() {
        let p256 = certificate_of(&rcgen::PKCS_ECDSA_P256_SHA256);
        let p384 = certificate_of(&rcgen::PKCS_ECDSA_P384_SHA384);

        assert_eq!(
            server_end_point(&p256).unwrap(),
            digest(&SHA256, &p256).as_ref()
        );
        assert_eq!(
            server_end_point(&p384).unwrap(),
            digest(&SHA384, &p384).as_ref()
        );
    }

    #[test]
    fn a_signature_without_a_hash_gives_no_binding() {
        assert_eq!(
            server_end_point(&certificate_of(&rcgen::PKCS_ED25519)),
            None
        );
    }

    #[test]
    fn a_broken_certificate_gives_no_binding() {
        let whole = certificate_of(&rcgen::PKCS_ECDSA_P256_SHA256);

        for cut in 0..whole.len() {
            assert_eq!(server_end_point(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(
            server_end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
            None
        );
        assert_eq!(server_end_point(&[0x30, 0x80, 0, 0]), None);
    }
}
