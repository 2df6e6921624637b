#!/bin/sh
# fetch_mnist.sh DIR [MIRROR]: fetches the four MNIST files into DIR for those who have internet, and checks that what
# they unpack to is MNIST byte for byte. MIRROR (or $MNIST_MIRROR) is a folder of the web, or of this machine, that has
# the files with .gz behind their names. Files that are there already and right are kept.
# SPDX-License-Identifier: MIT
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: fetch_mnist.sh DIR [MIRROR]" >&2; exit 2; }
folder=$1
mirror=${2:-${MNIST_MIRROR:-https://ossci-datasets.s3.amazonaws.com/mnist}}
mkdir -p "$folder"

get() {
    if [ -d "$mirror" ]; then cp "$mirror/$1" "$2"
    elif command -v curl >/dev/null 2>&1; then curl -fsSL --retry 2 -o "$2" "$mirror/$1"
    elif command -v wget >/dev/null 2>&1; then wget -q -O "$2" "$mirror/$1"
    else echo "fetch_mnist: neither curl nor wget is here" >&2; exit 1
    fi
}
right() { # FILE.gz BYTES MD5: of the unpacked bytes
    [ -f "$1" ] && [ "$(gzip -dc "$1" 2>/dev/null | wc -c)" -eq "$2" ] && [ "$(gzip -dc "$1" | md5sum | cut -c 1-32)" = "$3" ]
}

while read -r name bytes sum; do
    file=$folder/$name.gz
    if ! right "$file" "$bytes" "$sum"; then
        get "$name.gz" "$file.part" || { rm -f "$file.part"; echo "fetch_mnist: cannot get $mirror/$name.gz" >&2; exit 1; }
        right "$file.part" "$bytes" "$sum" || { rm -f "$file.part"; echo "fetch_mnist: $mirror/$name.gz is not MNIST's file" >&2; exit 1; }
        mv "$file.part" "$file"
    fi
    echo "$file"
done <<END
train-images-idx3-ubyte 47040016 6bbc9ace898e44ae57da46a324031adb
train-labels-idx1-ubyte 60008 a25bea736e30d166cdddb491f175f624
t10k-images-idx3-ubyte 7840016 2646ac647ad5339dbf082846283269ea
t10k-labels-idx1-ubyte 10008 27ae3e4e09519cfbb04c329615203637
END
