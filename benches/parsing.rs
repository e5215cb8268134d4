//! What reading a batch costs: nanoseconds per event of the envelope and of the telemetry, and the most memory that the
//! envelope needs, the request among it. Run with `cargo bench --bench parsing`; `docs/PERFORMANCE.md` has the findings.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fieldcast::host::envelope::{Batch, read_batch};
use fieldcast::telemetry::body;
use fieldcast::telemetry::catalogue::Catalogue;
use serde_json::{Value, json};

/// How long each number is measured, after a warm-up of a tenth of it.
const MEASURED: Duration = Duration::from_secs(2);

fn main() {
    if let Some(file) = std::env::args().skip_while(|word| word != "--peak").nth(1) {
        return print_peak(&file);
    }
    let batches = [
        ("1,000 events of 500 devices", generate(1_000, 500, 0)),
        ("12,000 events of 12,000 devices, 34 MB", generate(12_000, 12_000, 1_420)),
    ];
    for (name, request) in &batches {
        let events = read(request).events.len();
        println!("{name}: {} bytes, {} per event", request.len(), request.len() / events);
        match peak_in_a_process_of_its_own(request) {
            Some(peak) => println!("  envelope   {:8.2} times the request at the peak", ratio(peak, request)),
            None => println!("  envelope   peak memory is not known on this system"),
        }
        measure("envelope", events, || request.clone(), read_owned);
        measure("copy alone", events, || (), |()| request.clone());
        let (batch, catalogue) = (read(request), Catalogue::environment());
        measure("telemetry", events, || (), |()| readings(&batch, &catalogue));
    }
}

fn read(request: &[u8]) -> Batch {
    read_owned(request.to_vec())
}

fn read_owned(request: Vec<u8>) -> Batch {
    read_batch(request).expect("generated envelopes are readable")
}

fn readings(batch: &Batch, catalogue: &Catalogue) -> usize {
    let count = |event: &fieldcast::host::envelope::Event| {
        let encoding = event.content_encoding.as_deref();
        body::read(&event.body, encoding, event.stamped_device.as_deref(), catalogue).len()
    };
    batch.events.iter().map(count).sum()
}

/// Prints the median and the best of many runs; what `prepare` does is not measured.
fn measure<I, O>(name: &str, events: usize, prepare: impl Fn() -> I, run: impl Fn(I) -> O) {
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < MEASURED || times.len() < 5 {
        let input = prepare();
        let begun = Instant::now();
        let output = black_box(run(black_box(input)));
        let time = begun.elapsed();
        drop(output);
        if started.elapsed() > MEASURED / 10 {
            times.push(time);
        }
    }
    times.sort();
    let per_event = |time: Duration| time.as_secs_f64() * 1e9 / events as f64;
    let (median, best) = (per_event(times[times.len() / 2]), per_event(times[0]));
    println!("  {name:10} {median:8.0} ns per event (best {best:.0}, {} runs)", times.len());
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn ratio(peak: usize, request: &[u8]) -> f64 {
    peak as f64 / request.len() as f64
}

/// What this process has used before must not hide what reading uses, so a fresh one reads.
fn peak_in_a_process_of_its_own(request: &[u8]) -> Option<usize> {
    let file = std::env::temp_dir().join(format!("fieldcast-parsing-{}.json", std::process::id()));
    std::fs::write(&file, request).ok()?;
    let output = Command::new(std::env::current_exe().ok()?).arg("--peak").arg(&file).output();
    std::fs::remove_file(&file).ok()?;
    String::from_utf8(output.ok()?.stdout).ok()?.trim().parse().ok()
}

/// Prints the most resident bytes, the request among them, while the request in `file` was read.
fn print_peak(file: &str) {
    let before = resident("VmHWM:");
    let batch = std::fs::read(file).map(read_owned);
    if let (Some(before), Some(peak), Ok(_)) = (before, resident("VmHWM:"), batch) {
        println!("{}", peak - before);
    }
}

fn resident(field: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

/// An envelope as the host writes it for `dataType` binary and `cardinality` many; the same for the same numbers.
fn generate(events: usize, devices: usize, padding: usize) -> Vec<u8> {
    let mut dice = Dice(0x5eed);
    let numbers = || 1_000_000..1_000_000 + events;
    let bodies: Vec<_> = numbers().map(|n| STANDARD.encode(body(&mut dice, n, padding))).collect();
    let times: Vec<_> = numbers().map(time).collect();
    let offsets: Vec<_> = numbers().map(|n| (n * 512).to_string()).collect();
    let properties: Vec<_> = numbers().map(|n| system_properties(n, n % devices)).collect();
    let text = |value: Value| value.to_string();
    let context = json!({
        "IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "hub.servicebus.windows.net",
        "EventHubName": "iothub-ehub-bench", "ConsumerGroup": "functions", "PartitionId": "0",
    });
    let envelope = json!({
        "Data": { "events": text(json!(bodies)) },
        "Metadata": {
            "TriggerPartitionContext": context,
            "PartitionContext": context,
            "PartitionKeyArray": text(json!(vec![Value::Null; events])),
            "OffsetArray": text(json!(offsets)),
            "OffsetStringArray": text(json!(offsets)),
            "SequenceNumberArray": text(json!(numbers().collect::<Vec<_>>())),
            "EnqueuedTimeUtcArray": text(json!(times)),
            "PropertiesArray": text(json!(vec![json!({}); events])),
            "SystemPropertiesArray": text(json!(properties)),
            "sys": { "MethodName": "EnvironmentEventTrigger", "UtcNow": "2024-11-21T00:57:12.1234567Z" },
        },
    });
    envelope.to_string().into_bytes()
}

fn time(number: usize) -> String {
    format!("2024-11-21T00:{:02}:{:02}.{:03}", number / 60_000 % 60, number / 1_000 % 60, number % 1_000)
}

fn body(dice: &mut Dice, number: usize, padding: usize) -> String {
    let note: String = (0..padding).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
    let mut value = json!({
        "messageId": number.to_string(),
        "temperature": f64::from(dice.below(1_200)) / 10.0 - 40.0,
        "humidity": dice.below(100),
        "pressure": f64::from(dice.below(4_000)) / 4.0 + 600.0,
        "light": dice.below(1_000),
        "geo": "Sydney",
    });
    if padding > 0 {
        value["note"] = note.into();
    }
    value.to_string()
}

fn system_properties(number: usize, device: usize) -> Value {
    let method = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
    let offset = number * 512;
    json!({
        "x-opt-sequence-number": number,
        "x-opt-offset": offset.to_string(),
        "x-opt-enqueued-time": format!("{}+00:00", time(number)),
        "iothub-connection-device-id": format!("sensor-{device:05}"),
        "iothub-connection-auth-method": method,
        "iothub-connection-auth-generation-id": "638671234567890123",
        "iothub-enqueuedtime": format!("{}Z", time(number)),
        "iothub-message-source": "Telemetry",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "SequenceNumber": number,
        "Offset": offset,
        "OffsetString": offset.to_string(),
        "PartitionKey": null,
        "EnqueuedTimeUtc": time(number),
    })
}

/// A seeded generator (xorshift, 64 bits), so that every run reads the same bytes.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).expect("a remainder of a u32 fits")
    }
}
