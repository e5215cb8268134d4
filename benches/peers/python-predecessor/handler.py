"""The predecessor's method as a custom handler: every reading is calibrated, validated, read and merged by itself, and
every device that a batch changed is announced by an HTTP call of its own. A peer of `cargo dev bench`."""

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableServiceClient, UpdateMode

PARTITION = os.environ["PartitionKey"]
MOST_TRIES = 10
REPLY = b'{"Outputs":{},"Logs":[],"ReturnValue":null}'

service = TableServiceClient.from_connection_string(os.environ["StorageConnectionString"])
device_state = service.get_table_client("DeviceState")
calibration_table = service.get_table_client("Calibration")
calibrations = {}


def calibration_of(device_id):
    """Read when a device is first seen, then kept for the life of the process."""
    if device_id not in calibrations:
        try:
            calibrations[device_id] = calibration_table.get_entity(PARTITION, device_id)
        except ResourceNotFoundError:
            calibrations[device_id] = None
    return calibrations[device_id]


def calibrate(reading):
    calibration = calibration_of(reading["deviceId"])
    if calibration is None:
        return
    for value, prefix in (("temperature", "Temperature"), ("humidity", "Humidity"), ("pressure", "Pressure")):
        slope, intercept = calibration.get(prefix + "Slope"), calibration.get(prefix + "YIntercept")
        if slope is not None and intercept is not None and reading.get(value) is not None:
            reading[value] = reading[value] * slope + intercept


def is_valid(reading):
    for value, low, high in (("temperature", -40, 80), ("pressure", 600, 1600), ("humidity", 0, 100)):
        found = reading.get(value)
        if found is not None and not low <= found <= high:
            return False
    return True


def entity_of(reading, count):
    return {
        "PartitionKey": PARTITION,
        "RowKey": reading["deviceId"],
        "DeviceId": reading["deviceId"],
        "Geo": reading.get("geo"),
        "Celsius": reading.get("temperature"),
        "Humidity": reading.get("humidity"),
        "hPa": reading.get("pressure"),
        "Light": reading.get("light"),
        "Id": reading.get("messageId"),
        "Count": count,
        "Schema": 1,
    }


def update_device_state(reading):
    """The row as written, or None after ten tries."""
    for attempt in range(MOST_TRIES):
        try:
            try:
                known = device_state.get_entity(PARTITION, reading["deviceId"])
            except ResourceNotFoundError:
                entity = entity_of(reading, 1)
                device_state.create_entity(entity)
                return entity
            entity = entity_of(reading, known.get("Count", 0) + 1)
            device_state.update_entity(
                entity,
                mode=UpdateMode.MERGE,
                etag=known.metadata["etag"],
                match_condition=MatchConditions.IfNotModified,
            )
            return entity
        except (ResourceExistsError, ResourceModifiedError):
            time.sleep(random.randint(40, min(1000, 40 * 2**attempt)) / 1000)
    return None


def text(encoded):
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


def settings_of(connection_string):
    return dict(part.split("=", 1) for part in connection_string.split(";") if part)


signalr = settings_of(os.environ["AzureSignalRConnectionString"])
port = ":" + signalr["Port"] if "Port" in signalr else ""
SEND = signalr["Endpoint"].rstrip("/") + port + "/api/hubs/enviromon/:send"


def token():
    head = text(b'{"alg":"HS256","typ":"JWT"}')
    claims = text(json.dumps({"aud": SEND, "exp": int(time.time()) + 3600}).encode())
    signature = hmac.new(signalr["AccessKey"].encode(), f"{head}.{claims}".encode(), hashlib.sha256)
    return f"{head}.{claims}.{text(signature.digest())}"


def notify(entity):
    """One call per device, each on a connection of its own, as the predecessor made them."""
    state = {
        "deviceId": entity["DeviceId"],
        "temperature": entity["Celsius"],
        "pressure": entity["hPa"],
        "humidity": entity["Humidity"],
        "light": entity["Light"],
        "geo": entity["Geo"],
        "count": entity["Count"],
    }
    answer = requests.post(
        SEND + "?api-version=2022-06-01",
        json={"target": "newMessage", "arguments": [[state]]},
        headers={"Authorization": "Bearer " + token()},
        timeout=30,
    )
    answer.raise_for_status()


def process(invocation):
    changed = {}
    for body in json.loads(invocation["Data"]["events"]):
        found = json.loads(base64.b64decode(body))
        for reading in found if isinstance(found, list) else [found]:
            calibrate(reading)
            if not is_valid(reading):
                continue
            entity = update_device_state(reading)
            if entity is not None:
                changed[entity["DeviceId"]] = entity
    for entity in changed.values():
        notify(entity)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            process(json.loads(body))
            self.answer(200)
        except Exception as problem:
            print(f"the batch failed: {problem!r}", file=sys.stderr, flush=True)
            self.answer(500)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(REPLY)))
        self.end_headers()
        self.wfile.write(REPLY)

    def log_message(self, *words):
        """The host logs invocations itself."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
