#!/usr/bin/env python3
# check.py LIST [opencv]: NAME.onnx for each name in LIST must pass ONNX's checker with its inference of types and shapes, whose
# shapes must be those it claims, and give what the trained program predicted (NAME.csv.out), within 1e-5: by the evaluator of
# the onnx package, where it has one, by operators.py, and with `opencv` by OpenCV's network module for those it can read.
# SPDX-License-Identifier: MIT
import csv, json, sys
import numpy, onnx
from onnx import shape_inference
import operators

BY_OPENCV = {"classes", "images"}
MADE = {                                                     # operators that the model must have come to
    "classes": {"MatMul", "Softmax", "Tanh"}, "images": {"Conv", "MaxPool", "AveragePool", "Relu", "Softmax"},
    "convolution": {"Conv", "MaxPool", "AveragePool"}, "recurrent": {"Scan", "Sigmoid"}, "attention": {"MatMul"},
    "own": {"GatherND", "Einsum", "MatMul", "ArgMax", "MaxPool", "Scan", "Slice"},
}


def read_predicted(path):
    with open(path) as f:
        rows = list(csv.reader(f))
    first = 1 if rows[0][0] == "class" else 0                # the class that is chosen
    return numpy.array([row[first:] for row in rows[1:]], float)


def read_inputs(model, name):
    inputs = {}
    for i in model.graph.input:
        kind = i.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim[1:]]
        assert kind.shape.dim[0].dim_param == "batch", f"{i.name}: the first axis is not free"
        values = numpy.load(f"{name}.{i.name}.npy")
        inputs[i.name] = values.astype(onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[kind.elem_type]).reshape([-1, *shape])
    return inputs


def shapes(values):
    return {v.name: (v.type.tensor_type.elem_type, str(v.type.tensor_type.shape)) for v in values}


def check_shapes(model):
    """what is inferred, the claimed shapes of the outputs removed, is what is claimed"""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for o in bare.graph.output:
        o.type.tensor_type.ClearField("shape")
    inferred = shapes(shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True).graph.output)
    for name, claimed in shapes(model.graph.output).items():
        assert inferred[name] == claimed or "dim_param: \"batch\"" not in inferred[name][1], (name, inferred[name], claimed)


def compare(what, found, names, expected):
    found = numpy.concatenate([numpy.asarray(found[name], float).reshape(len(expected), -1) for name in names], axis=1)
    assert found.shape == expected.shape, f"{what}: {found.shape}, expected {expected.shape}"
    apart = abs(found - expected) / numpy.maximum(1, abs(expected))
    assert numpy.all(apart <= 1e-5), f"{what}: {numpy.max(apart)} apart at {numpy.unravel_index(numpy.nanargmax(apart), apart.shape)}"
    return numpy.max(apart)


def by_opencv(model, inputs):
    import cv2
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for i in fixed.graph.input:                              # OpenCV 4.6 knows no free axes
        i.type.tensor_type.shape.dim[0].dim_value = len(inputs[i.name])
    net = cv2.dnn.readNetFromONNX(numpy.frombuffer(fixed.SerializeToString(), numpy.uint8))
    for name, value in inputs.items():
        assert value.ndim != 3, "an array of three axes is an image with channels to it"
        net.setInput(value, name)
    return {o.name: net.forward(o.name) for o in model.graph.output}


def operators_of(graph):
    made = {n.op_type for n in graph.node}
    return made.union(*(operators_of(a.g) for n in graph.node for a in n.attribute if a.HasField("g")))


def check(name, opencv):
    model = onnx.load(name + ".onnx")
    onnx.checker.check_model(model, full_check=True)
    check_shapes(model)
    inputs = read_inputs(model, name)
    expected, names = read_predicted(name + ".csv.out"), [o.name for o in model.graph.output]
    apart = compare("operators.py", operators.evaluate(model, inputs), names, expected)
    if hasattr(onnx, "reference"):
        outputs = onnx.reference.ReferenceEvaluator(model).run(names, inputs)
        compare("onnx.reference", dict(zip(names, outputs)), names, expected)
    if opencv:
        compare("OpenCV", by_opencv(model, inputs), names, expected)
    made = operators_of(model.graph)
    assert MADE.get(name, set()) <= made, f"{MADE[name] - made} are not made"
    print(f"{name}: {len(model.graph.node)} nodes, {apart:.1e} apart{', OpenCV too' if opencv else ''}")
    if name == "classes":
        notes = {p.key: p.value for p in model.metadata_props}
        assert json.loads(notes["classes:last"]) == ["low", "high", "between"], notes
        assert len(notes["sha256"]) == 64


def main(listed, *opencv):
    failed = 0
    for name in open(listed).read().split():
        try:
            check(name, bool(opencv) and name in BY_OPENCV)
        except Exception as e:
            failed += 1
            print(f"{name}: {type(e).__name__}: {str(e)[-600:]}")
    sys.exit(failed > 0)


main(*sys.argv[1:])
