//! The claims of an ID token, each checked as far as it can be without knowing what the token is used for.
//! Groups are never cut short: a list that is too long is refused, because a shorter list means something else.

use super::{IdTokenError, MAX_ID_TOKEN, MAX_ID_TOKEN_LIFE};
use crate::{names::Subject, statement::IdpStatement, strict, time::UnixTime};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Most groups that are read.
pub const MAX_GROUPS: usize = 200;
/// Most bytes of all group names together.
pub const MAX_GROUP_BYTES: usize = 8 * 1024;
/// Longest other text claim, in bytes.
const MAX_TEXT: usize = 512;

/// What the provider says about a person. Texts may hold anything; show them only as `Shown`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonClaims {
    pub sub: Subject,
    pub issued: UnixTime,
    pub expires: UnixTime,
    pub auth_time: UnixTime,
    pub groups: Vec<String>,
    pub department: Option<String>,
    pub employee_type: Option<String>,
    pub email: Option<String>,
    /// How the person proved who they are (RFC 8176), such as `mfa`.
    pub amr: Vec<String>,
    pub nonce: Option<String>,
}

/// The claims whose names are fixed. Others are allowed and not read.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Subject,
    aud: Audience,
    azp: Option<String>,
    exp: UnixTime,
    iat: UnixTime,
    nbf: Option<UnixTime>,
    auth_time: UnixTime,
    nonce: Option<String>,
    department: Option<String>,
    #[serde(rename = "employeeType")]
    employee_type: Option<String>,
    email: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
}

/// One audience, as a string or as a list of exactly one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    List([String; 1]),
}

/// Reads and checks the payload of a token whose signature has been verified.
pub(super) fn read(
    payload: &[u8],
    idp: &IdpStatement,
    now: UnixTime,
) -> Result<PersonClaims, IdTokenError> {
    let all: Map<String, Value> = strict::json(payload, MAX_ID_TOKEN)?;
    let groups = groups(all.get(&idp.groups_claim))?;
    let audiences = all.get("aud").and_then(Value::as_array).map_or(1, Vec::len);
    if audiences != 1 {
        return Err(IdTokenError::Audience);
    }
    let claims: Claims =
        serde_json::from_value(Value::Object(all)).map_err(|_| IdTokenError::Claim)?;
    check_parties(&claims, idp)?;
    check_times(&claims, now)?;
    check_texts(&claims)?;
    Ok(PersonClaims {
        sub: claims.sub,
        issued: claims.iat,
        expires: claims.exp,
        auth_time: claims.auth_time,
        groups,
        department: claims.department,
        employee_type: claims.employee_type,
        email: claims.email,
        amr: claims.amr,
        nonce: claims.nonce,
    })
}

fn check_parties(claims: &Claims, idp: &IdpStatement) -> Result<(), IdTokenError> {
    if claims.iss != idp.issuer {
        return Err(IdTokenError::Issuer);
    }
    let (Audience::One(audience) | Audience::List([audience])) = &claims.aud;
    let authorized = claims.azp.as_ref().is_none_or(|azp| *azp == idp.client_id);
    if *audience == idp.client_id && authorized {
        Ok(())
    } else {
        Err(IdTokenError::Audience)
    }
}

fn check_times(claims: &Claims, now: UnixTime) -> Result<(), IdTokenError> {
    if !claims.iat.has_begun(now)
        || !claims.auth_time.has_begun(now)
        || claims.nbf.is_some_and(|nbf| !nbf.has_begun(now))
    {
        return Err(IdTokenError::Future);
    }
    if claims.exp <= claims.iat || !claims.auth_time.has_begun(claims.iat) {
        return Err(IdTokenError::Claim);
    }
    if claims.iat.until(claims.exp) > MAX_ID_TOKEN_LIFE {
        Err(IdTokenError::Life)
    } else {
        Ok(())
    }
}

fn check_texts(claims: &Claims) -> Result<(), IdTokenError> {
    let texts = [
        &claims.nonce,
        &claims.department,
        &claims.employee_type,
        &claims.email,
    ];
    let short = |text: &String| text.len() <= MAX_TEXT;
    let fits = texts.into_iter().flatten().all(short)
        && claims.amr.len() <= 16
        && claims.amr.iter().all(short);
    if fits {
        Ok(())
    } else {
        Err(IdTokenError::Claim)
    }
}

/// A list of names, or one name; no claim at all means no groups.
fn groups(claim: Option<&Value>) -> Result<Vec<String>, IdTokenError> {
    let names = match claim {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => {
            let name = |value: &Value| value.as_str().map(str::to_owned).ok_or(IdTokenError::Claim);
            list.iter().map(name).collect::<Result<_, _>>()?
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            return Err(IdTokenError::Claim);
        }
    };
    let bytes: usize = names.iter().map(String::len).sum();
    if names.len() > MAX_GROUPS || bytes > MAX_GROUP_BYTES {
        return Err(IdTokenError::TooManyGroups);
    }
    Ok(names)
}
