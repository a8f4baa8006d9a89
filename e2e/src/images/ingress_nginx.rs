//! The community ingress controller with Debian's nginx.
//!
//! The controller's Go module carries its nginx template and Lua code. Debian's nginx lacks a few Lua modules that
//! they ask for; `e2e/images/ingress-nginx/resty` stands in for those.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::layer::{Layer, LayerWriter};
use super::oci::Start;
use super::rootfs::{Depth, Rootfs};
use super::workshop::{Job, Workshop, blocking};
use crate::archive::{Archive, Placement};
use crate::tool::{Module, Tool};

const VERSION: &str = "2";
const ROOTFS: Rootfs = Rootfs {
    suite: "bookworm",
    depth: Depth::Unpacked,
    packages: &[
        "base-files",
        "dash",
        "diffutils",
        "libc6",
        "libluajit2-5.1-2",
        "libnginx-mod-http-headers-more-filter",
        "libnginx-mod-http-lua",
        "libnginx-mod-http-ndk",
        "libnginx-mod-stream",
        "lua-cjson",
        "lua-resty-core",
        "lua-resty-lrucache",
        "nginx-light",
    ],
};
/// Lua modules that Debian does not have.
const LUA: [(&str, &str); 8] = [
    ("resty/chash", include_str!("../../images/ingress-nginx/resty/chash.lua")),
    ("resty/cookie", include_str!("../../images/ingress-nginx/resty/cookie.lua")),
    ("resty/dns/resolver", include_str!("../../images/ingress-nginx/resty/dns/resolver.lua")),
    ("resty/global_throttle", include_str!("../../images/ingress-nginx/resty/global_throttle.lua")),
    ("resty/http", include_str!("../../images/ingress-nginx/resty/http.lua")),
    ("resty/ipmatcher", include_str!("../../images/ingress-nginx/resty/ipmatcher.lua")),
    ("resty/lock", include_str!("../../images/ingress-nginx/resty/lock.lua")),
    ("resty/roundrobin", include_str!("../../images/ingress-nginx/resty/roundrobin.lua")),
];
const MODULES: [&str; 4] =
    ["ndk_http_module", "ngx_stream_module", "ngx_http_lua_module", "ngx_http_headers_more_filter_module"];
/// nginx runs its worker as `nobody` where its settings name no user.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";
const TEMPLATE: &str = "etc/nginx/template/nginx.tmpl";
/// The controller posts its TCP and UDP services to this port and wants it open; without stream Lua, what comes is
/// only swallowed. There are no such services here.
const STREAM: &str = "stream { server { listen 127.0.0.1:{{ .StreamPort }}; return ok; } }\n";
const EMPTY: [&str; 8] = [
    "etc/ingress-controller",
    "etc/ingress-controller/auth",
    "etc/ingress-controller/geoip",
    "etc/ingress-controller/ssl",
    "etc/ingress-controller/telemetry",
    "tmp/nginx",
    "var/lib/nginx",
    "var/log/nginx",
];

/// The controller's image.
pub async fn ingress_nginx(workshop: &Workshop<'_>) -> Result<Archive> {
    let begin = workshop.with_program(ROOTFS.ingredients("ingress-nginx").text(VERSION), Tool::IngressNginx);
    let begin = begin.text(PASSWD).text(GROUP).text(STREAM);
    let ingredients = LUA.iter().fold(begin, |all, (name, code)| all.text(name).text(code));
    let make = async |job: Job| {
        let rootfs = workshop.rootfs("ingress-nginx", &ROOTFS).await?;
        let source = workshop.binaries.source(Module::Ingress, "k8s.io/ingress-nginx").await?;
        let controller = workshop.binaries.path(Tool::IngressNginx);
        blocking(move || {
            let start = Start {
                entrypoint: &["/nginx-ingress-controller"],
                directory: "/etc/nginx",
                ..Start::default()
            };
            job.write(&start, &[layer(&job, &Parts { rootfs, source, controller })?])
        })
        .await
    };
    workshop.image(ingredients, Placement::ServicesNode, make).await
}

/// What the layer is put together from.
struct Parts {
    rootfs: PathBuf,
    source: PathBuf,
    controller: PathBuf,
}

fn layer(job: &Job, parts: &Parts) -> Result<Layer> {
    let mut layer = LayerWriter::create(job.scratch.join("layer"))?;
    layer.rootfs(&parts.rootfs, &is_needed)?;
    configuration(&mut layer, &parts.source.join("rootfs/etc/nginx"))?;
    for (name, code) in LUA {
        layer.file(&format!("etc/nginx/lua/{name}.lua"), 0o644, code)?;
    }
    layer.copy("nginx-ingress-controller", 0o755, &parts.controller)?;
    layer.link("usr/bin/nginx", "/usr/sbin/nginx")?;
    layer.file("etc/passwd", 0o644, PASSWD)?;
    layer.file("etc/group", 0o644, GROUP)?;
    layer.directory("tmp", 0o1777)?;
    for directory in EMPTY {
        layer.directory(directory, 0o755)?;
    }
    layer.finish()
}

/// The controller's own files, its template fitted to Debian's nginx.
fn configuration(layer: &mut LayerWriter, source: &Path) -> Result<()> {
    let file = source.join("template/nginx.tmpl");
    let template = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    layer.tree("etc/nginx", source, &|path| path != TEMPLATE && !path.ends_with("/test"))?;
    layer.file(TEMPLATE, 0o644, fit(&template)?)
}

/// Loads Debian's modules, drops what its older nginx does not know, and closes the stream block.
fn fit(template: &str) -> Result<String> {
    let begin = template.find("\nstream {").context("the template has no stream block")? + 1;
    let length = template[begin..].find("\n}").context("the template's stream block has no end")? + 3;
    let http = &template[..begin];
    let rest = template.get(begin + length..).unwrap_or_default();
    let load = MODULES.iter().map(|module| format!("load_module /usr/lib/nginx/modules/{module}.so;"));
    let known = |line: &&str| {
        let line = line.trim_start();
        line != "http2 on;" && !line.starts_with("http2_max_")
    };
    let lines = http.lines().chain(rest.lines()).filter(known).map(str::to_owned);
    let mut text = load.chain(lines).collect::<Vec<_>>().join("\n");
    text.push('\n');
    Ok(text.replace("\nhttp {", &format!("\n{STREAM}\nhttp {{")))
}

fn is_needed(path: &str) -> bool {
    const DROPPED: [&str; 11] = [
        "dev",
        "etc/nginx/nginx.conf",
        "etc/passwd",
        "etc/group",
        "etc/apt",
        "sbin",
        "usr/bin/perl",
        "usr/share/perl5",
        "var/cache",
        "var/lib/apt",
        "var/lib/dpkg",
    ];
    !DROPPED.iter().any(|dropped| path.starts_with(dropped)) && !path.split('/').any(|name| name == "gconv")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "pid /p;\nevents {\n}\nhttp {\n    http2_max_requests 1;\n    server {\n        \
                            http2 on;\n        listen 80;\n    }\n}\n\nstream {\n    lua {\n    }\n}\n{{ end }}\n";

    #[test]
    fn the_template_is_fitted_to_the_nginx_of_debian() {
        let fitted = fit(TEMPLATE).unwrap();
        assert!(fitted.starts_with("load_module /usr/lib/nginx/modules/ndk_http_module.so;\n"), "{fitted}");
        assert!(!fitted.contains("http2") && !fitted.contains("lua {"), "{fitted}");
        assert!(fitted.contains("listen 80;") && fitted.ends_with("{{ end }}\n"), "{fitted}");
        assert_eq!(fitted.matches("stream {").count(), 1);
    }

    #[test]
    fn a_template_of_another_shape_is_an_error() {
        assert!(fit("http {\n}\n").is_err());
    }
}
