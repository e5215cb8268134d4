//! The replies of the canned table service, in the form of the real one (Microsoft docs, "Table service REST API";
//! the replies of Azurite). Replies are bytes, and long ones are made once.

use std::sync::atomic::{AtomicU64, Ordering};

/// The real service answers a send with 202, with or without clients.
pub(super) const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

/// The most rows in one page of the service.
const PAGE: usize = 1_000;

/// Etags that are never repeated.
#[derive(Default)]
pub(super) struct Etags(AtomicU64);

impl Etags {
    fn next(&self) -> String {
        etag(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn etag(number: u64) -> String {
    format!("W/\"datetime'2026-01-01T00%3A00%3A00.{number:07}Z'\"")
}

pub(super) fn written(etags: &Etags) -> Vec<u8> {
    format!("HTTP/1.1 204 No Content\r\nETag: {}\r\nContent-Length: 0\r\n\r\n", etags.next()).into_bytes()
}

/// All operations succeeded.
pub(super) fn transaction(operations: u64, etags: &Etags) -> Vec<u8> {
    let mut body = String::with_capacity(400 * usize::try_from(operations).unwrap_or(0) + 400);
    body += "--batchresponse_stub\r\nContent-Type: multipart/mixed; boundary=changesetresponse_stub\r\n\r\n";
    for _ in 0..operations {
        body += "--changesetresponse_stub\r\nContent-Type: application/http\r\n\
            Content-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 204 No Content\r\n\
            X-Content-Type-Options: nosniff\r\nCache-Control: no-cache\r\nDataServiceVersion: 1.0;\r\nETag: ";
        body += &etags.next();
        body += "\r\n\r\n\r\n";
    }
    body += "--changesetresponse_stub--\r\n--batchresponse_stub--\r\n";
    let content_type = "multipart/mixed; boundary=batchresponse_stub";
    with_body("202 Accepted", content_type, "", &body)
}

pub(super) fn table_exists() -> Vec<u8> {
    error("409 Conflict", "TableAlreadyExists", "The table specified already exists.")
}

pub(super) fn not_found() -> Vec<u8> {
    error("404 Not Found", "ResourceNotFound", "The specified resource does not exist.")
}

pub(super) fn bad_request() -> Vec<u8> {
    error("400 Bad Request", "InvalidInput", "One of the request inputs is not valid.")
}

pub(super) fn no_rows() -> Vec<u8> {
    json("200 OK", "", &page(""))
}

/// The rows of one partition, one for each device, as the Python predecessor writes them.
pub(super) struct Pages {
    partition: String,
    pages: Vec<Vec<u8>>,
}

impl Pages {
    pub(super) fn of(partition: &str, devices: &[String]) -> Pages {
        let pages = devices.chunks(PAGE);
        let last = pages.len();
        let page = |(at, devices): (usize, &[String])| {
            let rows: Vec<String> = devices.iter().map(|device| row(partition, device)).collect();
            let next = at + 1;
            let more = if next < last { continuation(partition, next) } else { String::new() };
            json("200 OK", &more, &page(&rows.join(",")))
        };
        Pages { partition: partition.to_owned(), pages: pages.enumerate().map(page).collect() }
    }

    /// One row when `resource` names one, otherwise the page that `query` continues with.
    pub(super) fn read(&self, resource: &str, query: &str) -> Vec<u8> {
        if let Some(device) = resource.split("RowKey='").nth(1).and_then(|rest| rest.split('\'').next()) {
            let headers = format!("ETag: {}\r\n", etag(0));
            return json("200 OK", &headers, &row(&self.partition, device));
        }
        let next = query.split('&').find_map(|pair| pair.strip_prefix("NextRowKey="));
        let page = next.and_then(|next| next.parse::<usize>().ok()).unwrap_or(0);
        self.pages.get(page).cloned().unwrap_or_else(no_rows)
    }
}

fn continuation(partition: &str, page: usize) -> String {
    format!("x-ms-continuation-NextPartitionKey: {partition}\r\nx-ms-continuation-NextRowKey: {page}\r\n")
}

fn row(partition: &str, device: &str) -> String {
    let etag = etag(0).replace('"', "\\\"");
    format!(
        r#"{{"odata.etag":"{etag}","PartitionKey":"{partition}","RowKey":"{device}","Timestamp":"2026-01-01T00:00:00Z","DeviceId":"{device}","Geo":"Sydney","Celsius":21.5,"Humidity":50.5,"hPa":1013.5,"Light":600.5,"Id":"0","Count":1,"Schema":1}}"#
    )
}

fn page(rows: &str) -> String {
    format!(r#"{{"odata.metadata":"http://127.0.0.1/$metadata#DeviceState","value":[{rows}]}}"#)
}

fn error(status: &str, code: &str, message: &str) -> Vec<u8> {
    let headers = format!("x-ms-error-code: {code}\r\n");
    let body =
        format!(r#"{{"odata.error":{{"code":"{code}","message":{{"lang":"en-US","value":"{message}"}}}}}}"#);
    json(status, &headers, &body)
}

fn json(status: &str, headers: &str, body: &str) -> Vec<u8> {
    with_body(status, "application/json;odata=minimalmetadata", headers, body)
}

fn with_body(status: &str, content_type: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nDataServiceVersion: 3.0;\r\n{headers}\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}
