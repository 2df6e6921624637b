"""images.py: `images.py make` draws folders of images of three classes in every form; `images.py look PIXELS` holds what dlnc's
reader makes of them, and of damaged ones, against Pillow. SPDX-License-Identifier: MIT"""
import io
import os
import random
import struct
import subprocess
import sys
import zlib
from PIL import Image

random.seed(1)
FORMS = [("RGB", "png", {}), ("RGB", "jpg", {"quality": 95}), ("P", "png", {}), ("RGBA", "PNG", {}), ("L", "png", {}),
         ("L", "jpeg", {}), ("1", "png", {}), ("LA", "png", {}), ("RGB", "JPG", {"progressive": True, "quality": 90})]


def noise(width, height, bright=None):
    image = Image.new("RGB", (width, height))
    image.putdata([tuple(random.randint(0, 90) + (120 if k == bright else 0) for k in range(3)) for _ in range(width * height)])
    return image


def make():
    for part, count in ("train", 40), ("test", 10):
        for bright, name in enumerate(("zebra", "ant", "Owl")):
            folder = f"photos/{part}/{name}"
            os.makedirs(folder, exist_ok=True)
            open(f"{folder}/.hidden.png", "w").close()
            open(f"{folder}/notes.txt", "w").close()
            for i in range(count):
                mode, ending, options = FORMS[i % 4]
                image = noise(random.randint(6, 14), random.randint(6, 14), bright).convert(mode)
                image.save(f"{folder}/{i}.{ending}", **options)


def read(program, path, height, width, channels, fit):
    got = subprocess.run([program, path, str(height), str(width), str(channels), str(fit)], capture_output=True)
    return got.returncode, got.stdout if got.returncode == 0 else got.stderr.decode()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, data):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def look_forms(program):
    for mode, ending, options in FORMS:
        image = noise(23, 17, 1).convert(mode)
        image.save("one." + ending, **options)
        seen = Image.open("one." + ending)
        for channels, wanted in (1, "L"), (3, "RGB"), (4, "RGBA"):
            middle = seen.convert("RGB").convert("L") if channels == 1 else seen.convert(wanted)
            code, bytes_ = read(program, "one." + ending, 17, 23, channels, 2)
            assert code == 0 and bytes_ == middle.tobytes(), (mode, ending, channels, bytes_)
            for width, height in (5, 6), (60, 50), (23, 9), (1, 1), (64, 3):
                # Pillow rounds weights and the picture between the two directions
                code, bytes_ = read(program, "one." + ending, height, width, channels, 0)
                parts = [c.resize((width, height), Image.Resampling.BILINEAR) for c in middle.split()]
                other = Image.merge(middle.mode, parts).tobytes() if len(parts) > 1 else parts[0].tobytes()
                worst = max(abs(a - b) for a, b in zip(bytes_, other))
                assert code == 0 and len(bytes_) == len(other) and worst <= 1, (mode, ending, channels, width, height, worst)
    # the middle alone: 17 of the 23 columns, from the third on
    noise(23, 17).save("one.png")
    code, bytes_ = read(program, "one.png", 17, 17, 3, 1)
    assert code == 0 and bytes_ == Image.open("one.png").crop((3, 0, 20, 17)).tobytes()
    # 16 bits become the nearest of 8
    open("deep.png", "wb").write(png(3, 1, 16, 0, b"\0" + struct.pack(">HHH", 65535, 257 * 77 + 100, 257 * 200 - 100)))
    assert read(program, "deep.png", 1, 3, 1, 2) == (0, bytes([255, 77, 200]))
    open("deep.png", "wb").write(png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 257 * 9, 257 * 10, 257 * 11)))
    assert read(program, "deep.png", 1, 1, 3, 2) == (0, bytes([9, 10, 11]))


def refused(program, name, data, words):
    open(name, "wb").write(data)
    code, said = read(program, name, 8, 8, 3, 0)
    assert code == 1 and said.startswith(name + ": ") and words in said, (name, code, said)


def look_damaged(program):
    whole = {}
    for ending, options in ("png", {}), ("jpg", {}):
        buffer = io.BytesIO()
        noise(40, 40).save(buffer, {"png": "PNG", "jpg": "JPEG"}[ending], **options)
        whole[ending] = buffer.getvalue()
        for share in 0.2, 0.5, 0.9:
            refused(program, "cut." + ending, whole[ending][:int(len(whole[ending]) * share)], "damaged")
    flipped = bytearray(whole["png"])
    flipped[len(flipped) // 2] ^= 1
    refused(program, "flipped.png", bytes(flipped), "damaged PNG image")
    refused(program, "text.png", b"hello, world", "neither a PNG nor a JPEG image")
    refused(program, "empty.png", b"", "neither a PNG nor a JPEG image")
    refused(program, "wide.png", png(60000, 60000, 8, 2, b""), "pixels")
    refused(program, "lie.png", png(8000, 8000, 8, 2, b""), "do not fit into its")
    ink = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(ink, "JPEG")
    refused(program, "ink.jpg", ink.getvalue(), "CMYK")
    start = whole["jpg"].index(b"\xff\xc0")
    huge = whole["jpg"][:start + 5] + struct.pack(">HH", 65000, 65000) + whole["jpg"][start + 9:]
    refused(program, "huge.jpg", huge, "65000 x 65000 pixels")
    code, said = read(program, "one.png", 8, 8, 3, 2)
    assert code == 1 and "23 x 17 pixels, but the model takes 8 x 8" in said, said


if sys.argv[1] == "make":
    make()
else:
    look_forms(sys.argv[2])
    look_damaged(sys.argv[2])
