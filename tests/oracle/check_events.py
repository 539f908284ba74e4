"""Reads FOLDER's event file with TensorBoard's own reader and compares every scalar with the lines of METRICS.

    check_events.py METRICS FOLDER       exit code 1 and what differs, if anything does
"""

import json
import sys

import numpy
from tensorboard.backend.event_processing import event_accumulator

TAGS = ("loss", "dev_loss", "learning_rate", "gradient_norm", "tokens_per_second")


def main(metrics, folder):
    lines = [json.loads(line) for line in open(metrics)]
    events = event_accumulator.EventAccumulator(folder, size_guidance={event_accumulator.SCALARS: 0}).Reload()
    expected = {tag: [(line["time"], line["update"], float(numpy.float32(line[tag]))) for line in lines if tag in line]
                for tag in TAGS}
    expected = {tag: points for tag, points in expected.items() if points}
    found = {tag: [(point.wall_time, point.step, point.value) for point in events.Scalars(tag)]
             for tag in events.Tags()["scalars"]}
    assert events.file_version == 2, events.file_version
    assert events.FirstEventTimestamp() == lines[0]["time"]
    assert found.keys() == expected.keys(), (found.keys(), expected.keys())
    for tag, points in expected.items():
        assert found[tag] == points, f"{tag}: {found[tag]}, expected {points}"


main(*sys.argv[1:])
