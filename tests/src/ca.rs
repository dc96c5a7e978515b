//! The stage's own certificate authority: signs the provider's and the database's certificates, new for each run.
//! It is a company's private CA: nothing on the machine trusts it unless told to.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::trouble::Outcome;

pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server's certificate and private key, both PEM.
pub struct ServerIdentity {
    pub certificate: String,
    pub key: String,
}

impl CertificateAuthority {
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> Outcome<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// # Errors
    /// When a name is none.
    pub fn server(&self, names: &[&str]) -> Outcome<ServerIdentity> {
        let key = KeyPair::generate()?;
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name = named(names.first().unwrap_or(&"server"));
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(ServerIdentity {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}
