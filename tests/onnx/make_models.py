#!/usr/bin/env python3
# make_models.py OUT LIBRARY.dln..: every `example` of the library's layers, one model for each file: FILE.dln has an input for
# each tensor of its examples and an output y0, y1 .. for each example, and trains on FILE.x0.npy ..; NumPy draws the data.
# SPDX-License-Identifier: MIT
import os, re, sys
import numpy

SAMPLES = 5
TENSOR = re.compile(r"\b(float|int)\[([\d, ]+)\](?: % (\d+))?")
LIST = re.compile(r"(?<=\()\[([-\d, .]+)\](?=[,)])")


def inputs_of(call, inputs):
    """call with its tensors replaced by inputs x0, x1 .., which are added to the list"""
    def take(kind, extents, below):
        inputs.append((kind, extents[1:], below))
        return f"x{len(inputs) - 1}"
    call = TENSOR.sub(lambda m: take(m[1], [int(e) for e in m[2].split(",")], int(m[3] or 0)), call)
    if "x" + str(len(inputs) - 1) not in call:               # relu([-1, 0, 2]): any tensor will do
        call = LIST.sub(lambda m: take("float", [3, m[1].count(",") + 1], 0), call)
    return call


def model_of(name, examples):
    inputs, outputs = [], []
    for example in examples:
        outputs.append(inputs_of(example.split("==")[0].strip(), inputs))
    data = ", ".join(f'x{i} = "{name}.x{i}.npy"' for i in range(len(inputs)))
    lines = [f'data d {{', f'    train = npy({data}, t = "{name}.t.npy")', "}", f"model {name} {{"]
    for i, (kind, extents, _) in enumerate(inputs):
        lines.append(f"    input x{i}: {kind}{extents if extents else ''}")
    for i, call in enumerate(outputs):
        lines.append(f"    output y{i} = {call}")
    for i in range(len(outputs)):
        lines.append(f"    z{i} = y{i} -> flatten -> dense(1)")
    total = " + ".join(f"mse(z{i}, t)" for i in range(len(outputs)))
    lines += ["}", "train {", f"    loss = {total}", "    optimizer = adam(lr = 0.05); batch = 4; epochs = 2", "}"]
    return "\n".join(lines) + "\n", inputs


def write(out, name, examples):
    text, inputs = model_of(name, examples)
    with open(os.path.join(out, name + ".dln"), "w") as f:
        f.write(text)
    draw = numpy.random.default_rng(1)
    for i, (kind, extents, below) in enumerate(inputs):
        shape = [SAMPLES, *extents]
        values = draw.integers(0, below, shape, numpy.int32) if kind == "int" else draw.normal(size=shape).astype(numpy.float32)
        numpy.save(os.path.join(out, f"{name}.x{i}.npy"), values)
    numpy.save(os.path.join(out, f"{name}.t.npy"), draw.normal(size=[SAMPLES, 1]).astype(numpy.float32))


def save(out, name, values):
    numpy.save(os.path.join(out, name + ".npy"), values)


def write_others(out):
    """data for own.dln, as float and as double, and for the other models of this folder"""
    draw = numpy.random.default_rng(2)
    arrays = [draw.normal(size=(7, 4, 3)), draw.integers(0, 4, (7, 2)), draw.integers(0, 2, (7, 3)), draw.normal(size=(7, 5))]
    for name in "own", "double":
        for i, (values, kind) in enumerate(zip(arrays, ["f4", "i4", "?", "f4"])):
            save(out, f"{name}.x{i}", values.astype(kind))
    save(out, "own.t", draw.normal(size=(7, 1)).astype("f4"))
    save(out, "average.x", arrays[3].astype("f4"))
    save(out, "average.t", arrays[3][:, :1].astype("f4"))
    save(out, "images.image", draw.normal(size=(20, 10, 10, 2)).astype("f4"))
    save(out, "images.t", draw.uniform(size=(20, 3)).astype("f4"))
    features = draw.normal(size=(30, 4)) * [1, 10, 0.1, 1] + [0, 100, 1, -5]
    save(out, "classes.features", features.round(3).astype("f4"))
    with open(os.path.join(out, "classes.csv"), "w") as f:
        f.write("a,b,c,d,class\n")
        for i, row in enumerate(features.round(3)):
            f.write(",".join(f"{v:.3f}" for v in row) + "," + ["low", "high", "between"][i % 3] + "\n")


write_others(sys.argv[1])
for path in sys.argv[2:]:
    with open(path) as f:
        found = [line[len("example "):].strip() for line in f if line.startswith("example ")]
    write(sys.argv[1], os.path.basename(path)[:-len(".dln")], found)
