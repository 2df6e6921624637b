"""check.py: reads what the program of ./run has written, with other people's readers, and compares the forms of one thing.
SPDX-License-Identifier: MIT"""
import csv
import json
import struct
import xml.etree.ElementTree as xml
import numpy as np

# the curves: well-formed, a panel for each metric, both curves, five epochs over two runs
svg = "{http://www.w3.org/2000/svg}"
root = xml.parse("curves.svg").getroot()
lines = root.iter(svg + "polyline")
classes = [line.get("class") for line in lines]
assert classes == ["train", "val"] * 2, classes
points = json.loads(root.find(svg + "metadata").text)
assert [p[0] for p in points] == [1, 2, 3, 4, 5], points
dots = [c.find(svg + "title").text for c in root.iter(svg + "circle")]
assert len(dots) == 20 and dots[0].startswith("epoch 1: "), dots
width, height = (float(root.get(k)) for k in ("width", "height"))
for line in root.iter(svg + "polyline"):
    xs = [float(p.split(",")[0]) for p in line.get("points").split()]
    ys = [float(p.split(",")[1]) for p in line.get("points").split()]
    assert len(xs) == 5 and xs == sorted(xs) and 0 < min(xs) and max(xs) < width and 0 < min(ys) and max(ys) < height

# the log says the same
log = [json.loads(line) for line in open("log.jsonl")]
assert [r["epoch"] for r in log] == [1, 2, 3, 4, 5], log
for record, point in zip(log, points):
    names = ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert np.allclose([record[k] for k in names], point[1:], rtol=1e-8), (record, point)

# predictions: CSV and JSON lines agree, classes by name, the largest is the class
rows = list(csv.reader(open("p.csv")))
objects = [json.loads(line) for line in open("p.jsonl")]
title = rows.pop(0)
assert title == ["class", "k0", "k1", "k2"] and len(rows) == len(objects) == 50, (title, len(rows), len(objects))
for row, o in zip(rows, objects):
    scores = o["small"]
    assert row[0] == o["class"] == max(scores, key=scores.get), (row, o)
    assert [float(v) for v in row[1:]] == [scores[k] for k in title[1:]], (row, o)
    assert abs(sum(scores.values()) - 1) < 1e-5
assert len([json.loads(line) for line in open("p.stdin")]) == 2


def safetensors(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__")
    types = {"F32": np.float32, "F64": np.float64}
    return {k: np.frombuffer(data[8 + n:][slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"])
            for k, t in header.items()}


own = safetensors("w.alone.safetensors")
npz = np.load("w.npz")
assert sorted(own) == sorted(npz.files) and len(own) >= 8, (sorted(own), npz.files)
for name, values in own.items():
    assert values.dtype == npz[name].dtype and values.shape == npz[name].shape and (values == npz[name]).all(), name
torch = np.load("w.torch.npz")
assert (torch["dense.weight"] == own["dense.w"].T).all(), torch.files
