//! Static files of one folder: the dashboard. A local addition; the real host serves none.

use std::path::{Path, PathBuf};

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use percent_encoding::percent_decode_str;

/// A folder whose files anyone can read who can reach the port.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

/// Allows nothing from other sites, and data from any port of this machine, because the stand-ins have a port each.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     manifest-src 'self'; \
     connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

impl Files {
    pub(crate) fn new(root: PathBuf) -> Files {
        Files { root }
    }

    /// The file for a request path, `index.html` for `/`; `None` when there is none.
    pub(crate) async fn get(&self, path: &str) -> Option<Response<Body>> {
        let file = self.resolve(path).await?;
        let bytes = tokio::fs::read(&file).await.ok()?;
        let mut response = Response::new(Body::from(bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&file)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Some(response)
    }

    /// The file at a path. Links that lead out of the folder are not followed.
    async fn resolve(&self, path: &str) -> Option<PathBuf> {
        let root = tokio::fs::canonicalize(&self.root).await.ok()?;
        let file = tokio::fs::canonicalize(root.join(relative(path)?)).await.ok()?;
        let is_file = tokio::fs::metadata(&file).await.ok()?.is_file();
        (is_file && file.starts_with(&root)).then_some(file)
    }
}

/// A request path as a path below the folder; `None` for a path that leads out of it.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut relative = PathBuf::new();
    for part in decoded.split('/').filter(|part| !part.is_empty()) {
        if part.starts_with('.') || part.contains(['\\', '\0', ':']) {
            return None;
        }
        relative.push(part);
    }
    if relative.as_os_str().is_empty() {
        relative.push("index.html");
    }
    Some(relative)
}

fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_folder() {
        assert_eq!(relative("/"), Some(PathBuf::from("index.html")));
        assert_eq!(relative("//a///b.js"), Some(PathBuf::from("a/b.js")));
        for path in ["/../x", "/%2e%2e/x", "/a/..%2f..%2fx", "/..%5cx", "/.env", "/a%00b", "/c:/x", "/%ff"] {
            assert_eq!(relative(path), None, "{path}");
        }
    }

    #[test]
    fn the_types_a_page_needs_are_known() {
        let known = ["html", "js", "css", "svg", "png", "ico", "woff2", "json"];
        for extension in known {
            assert_ne!(content_type(Path::new(&format!("x.{extension}"))), "application/octet-stream");
        }
        assert_eq!(content_type(Path::new("x")), "application/octet-stream");
    }
}
