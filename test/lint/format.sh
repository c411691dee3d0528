#!/usr/bin/env bash
# Every source is as clang-format 14 would write it (make format does).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

files=()
for dir in src test bench demo; do
  if [ -d "$dir" ]; then
    while IFS= read -r -d '' file; do
      files+=("$file")
    done < <(find "$dir" \( -name '*.h' -o -name '*.cpp' \) -print0)
  fi
done
if [ ${#files[@]} = 0 ]; then
  exit 0
fi
# The exit status tells; of its output, only the lines that name a place.
if ! wrong=$(clang-format-14 --dry-run -Werror "${files[@]}" 2>&1); then
  grep -E '(error|warning):' <<<"$wrong" || echo "$wrong"
  exit 1
fi
