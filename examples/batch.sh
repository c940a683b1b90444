#!/usr/bin/env bash
# Animates every recording of a folder in the manner of one reference, and goes on where it stopped when run again.
#
#   examples/batch.sh RECORDINGS REFERENCE OUTPUT
set -euo pipefail
if [ $# -ne 3 ]; then
    echo "usage: $0 RECORDINGS REFERENCE OUTPUT" >&2
    exit 2
fi
shopt -s nullglob nocaseglob
recordings=("$1"/*.wav "$1"/*.flac "$1"/*.ogg "$1"/*.mp3 "$1"/*.m4a)
if [ ${#recordings[@]} -eq 0 ]; then
    echo "no recordings in $1" >&2
    exit 1
fi
# The reference is fitted once; its motion file then serves every later run.
style="$3/$(basename "${2%.*}")_style.npz"
mkdir -p "$3"
facetalk fit "$2" -o "$style" --skip-existing
facetalk animate "${recordings[@]}" --style "$style" -o "$3" --format mp4,npz,glb,csv --skip-existing --json \
    > "$3/report.json"
