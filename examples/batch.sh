#!/usr/bin/env bash
# Animates every audio file and video of a folder in the speaking style of one reference. Run again after an interruption, it skips
# what is done already.
#
#   examples/batch.sh AUDIO_DIR REFERENCE OUTPUT_DIR
set -euo pipefail
if [ $# -ne 3 ]; then
    echo "usage: $0 AUDIO_DIR REFERENCE OUTPUT_DIR" >&2
    exit 2
fi
# The reference is fitted once; its motion file then gives the style to every later run.
style="$3/$(basename "${2%.*}")_style.npz"
mkdir -p "$3"
facetalk fit "$2" -o "$style" --skip-existing
facetalk animate "$1" --style "$style" -o "$3" --format mp4,npz,glb,csv --skip-existing --json > "$3/report.json"
