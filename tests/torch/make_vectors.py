#!/usr/bin/env python3
"""make_vectors.py [WORD]: writes cases/*.dln and cases/*.txt, which replay.c runs: what PyTorch computes in float64 (see
vectors.py). Needs python3-torch (Debian 12: 1.13); the files are committed, so that the tests do not. With a WORD only
the functions whose name holds it. SPDX-License-Identifier: MIT"""
import sys
import layers, losses, models, optimizers, sequences

for make in (*layers.ALL, *sequences.ALL, *losses.ALL, *optimizers.ALL, *models.ALL):
    if len(sys.argv) < 2 or sys.argv[1] in make.__name__: make()
