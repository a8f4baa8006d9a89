//! The certificates of the local cluster and the kubeconfigs that carry them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::network::{API_SERVICE, HOST, MOST_NODES, node_address};
use crate::paths::Paths;

/// What a certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    Client,
    Server,
    Both,
}

/// Whom a certificate names, and for what.
struct Subject<'a> {
    /// The file's name, without its ending.
    file: &'a str,
    /// The user, for the API server.
    user: &'a str,
    /// The user's group, for the API server.
    group: &'a str,
    usage: Usage,
    names: Vec<&'a str>,
    addresses: Vec<IpAddr>,
}

/// The directory of keys, certificates and kubeconfigs.
pub fn directory(paths: &Paths) -> PathBuf {
    paths.state.join("pki")
}

/// Makes all of them, unless they are there. They are all there or none: the directory gets its name at the end.
pub fn ensure(paths: &Paths) -> Result<()> {
    let directory = directory(paths);
    if directory.is_dir() {
        return Ok(());
    }
    let unfinished = directory.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).context("cannot remove half-made certificates")?;
    }
    fs::create_dir_all(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
    make(&unfinished, &directory).context("cannot make the certificates")?;
    fs::copy(unfinished.join("admin.kubeconfig"), paths.kubeconfig())?;
    fs::rename(&unfinished, &directory).context("cannot put the certificates into their place")
}

fn make(at: &Path, final_place: &Path) -> Result<()> {
    let cluster = authority(at, "ca", "vibetalk-local-ca")?;
    let front_proxy = authority(at, "front-proxy-ca", "vibetalk-local-front-proxy-ca")?;
    leaf(at, &front_proxy, &client("front-proxy-client", "front-proxy-client", "front-proxy"))?;
    leaf(at, &cluster, &api_server())?;
    let masters = "system:masters";
    leaf(at, &cluster, &client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", masters))?;
    for (file, user, group) in [
        ("admin", "kubernetes-admin", masters),
        ("kube-controller-manager", "system:kube-controller-manager", "system:kube-controller-manager"),
        ("kube-scheduler", "system:kube-scheduler", "system:kube-scheduler"),
        ("kube-proxy", "system:kube-proxy", "system:node-proxier"),
    ] {
        leaf(at, &cluster, &client(file, user, group))?;
        kubeconfig(at, final_place, file)?;
    }
    for number in 1..=MOST_NODES {
        let name = format!("n{number}");
        leaf(at, &cluster, &node(&name, &format!("system:node:{name}"), number))?;
        kubeconfig(at, final_place, &name)?;
    }
    let accounts = KeyPair::generate()?;
    write_secret(&at.join("service-accounts.key"), &accounts.serialize_pem())?;
    fs::write(at.join("service-accounts.pub"), accounts.public_key_pem())?;
    Ok(())
}

fn client<'a>(file: &'a str, user: &'a str, group: &'a str) -> Subject<'a> {
    Subject { file, user, group, usage: Usage::Client, names: Vec::new(), addresses: Vec::new() }
}

fn api_server() -> Subject<'static> {
    Subject {
        file: "apiserver",
        user: "kube-apiserver",
        group: "kubernetes",
        usage: Usage::Server,
        names: vec![
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
        addresses: vec![HOST.into(), API_SERVICE.into()],
    }
}

fn node<'a>(name: &'a str, user: &'a str, number: u8) -> Subject<'a> {
    Subject {
        file: name,
        user,
        group: "system:nodes",
        usage: Usage::Both,
        names: vec![name],
        addresses: vec![node_address(number).into()],
    }
}

fn authority(at: &Path, file: &str, name: &str) -> Result<Issuer<'static, KeyPair>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    fs::write(at.join(format!("{file}.crt")), params.self_signed(&key)?.pem())?;
    write_secret(&at.join(format!("{file}.key")), &key.serialize_pem())?;
    Ok(Issuer::new(params, key))
}

fn leaf(at: &Path, issuer: &Issuer<'_, KeyPair>, subject: &Subject<'_>) -> Result<()> {
    let names: Vec<String> = subject.names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.subject_alt_names.extend(subject.addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, subject.group);
    params.distinguished_name.push(DnType::CommonName, subject.user);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = match subject.usage {
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Both => vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
    };
    let key = KeyPair::generate()?;
    fs::write(at.join(format!("{}.crt", subject.file)), params.signed_by(&key, issuer)?.pem())?;
    write_secret(&at.join(format!("{}.key", subject.file)), &key.serialize_pem())
}

/// Names the files by the place where they will be.
fn kubeconfig(at: &Path, place: &Path, file: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "vibetalk", "cluster": {
            "server": format!("https://{HOST}:6443"),
            "certificate-authority": place.join("ca.crt"),
        }}],
        "users": [{ "name": file, "user": {
            "client-certificate": place.join(format!("{file}.crt")),
            "client-key": place.join(format!("{file}.key")),
        }}],
        "contexts": [{ "name": "vibetalk", "context": { "cluster": "vibetalk", "user": file }}],
        "current-context": "vibetalk",
    });
    write_secret(&at.join(format!("{file}.kubeconfig")), &serde_yaml::to_string(&config)?)
}

/// Only the owner may read it.
fn write_secret(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut open = fs::OpenOptions::new();
    let mut opened = open.write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { tree: "/t".into(), cache: "/c".into(), state: root.path().join("state") };
        ensure(&paths).unwrap();
        (root, paths)
    }

    #[test]
    fn certificates_are_made_once_and_kept() {
        let (_root, paths) = made();
        let read = || fs::read(directory(&paths).join("ca.crt")).unwrap();
        let first = read();
        ensure(&paths).unwrap();
        assert_eq!(first, read());
    }

    #[test]
    fn a_half_made_set_of_certificates_is_replaced() {
        let (_root, paths) = made();
        fs::rename(directory(&paths), paths.state.join("pki.unfinished")).unwrap();
        ensure(&paths).unwrap();
        assert!(directory(&paths).join("n3.kubeconfig").is_file());
        assert!(!paths.state.join("pki.unfinished").exists());
    }

    #[test]
    fn keys_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (_root, paths) = made();
        let mode = fs::metadata(directory(&paths).join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }

    #[test]
    fn kubeconfigs_point_to_files_that_exist() {
        let (_root, paths) = made();
        let text = fs::read_to_string(paths.kubeconfig()).unwrap();
        let config: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let key = config["users"][0]["user"]["client-key"].as_str().unwrap();
        assert!(Path::new(key).is_file(), "{key}");
    }
}
