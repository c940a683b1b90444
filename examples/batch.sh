#!/usr/bin/env bash
# Animates every audio file of a folder in the speaking style of one reference. Run again after an interruption, it skips
# what is done already.
#
#   examples/batch.sh AUDIO_DIR REFERENCE OUTPUT_DIR
set -euo pipefail
if [ $# -ne 3 ]; then
    echo "usage: $0 AUDIO_DIR REFERENCE OUTPUT_DIR" >&2
    exit 2
fi
shopt -s nullglob nocaseglob
files=("$1"/*.wav "$1"/*.flac "$1"/*.ogg "$1"/*.mp3 "$1"/*.m4a)
if [ ${#files[@]} -eq 0 ]; then
    echo "no audio files in $1" >&2
    exit 1
fi
# The reference is fitted once; its motion file then gives the style to every later run.
style="$3/$(basename "${2%.*}")_style.npz"
mkdir -p "$3"
facetalk fit "$2" -o "$style" --skip-existing
facetalk animate "${files[@]}" --style "$style" -o "$3" --format mp4,npz,glb,csv --skip-existing --json \
    > "$3/report.json"
