#!/usr/bin/env bash
# Shows the running statements of the demo as progress bars: watch.sh DONE_FILE
# On a terminal the bars are redrawn in place; elsewhere a line per statement appears every few seconds.
# Lines that others add to DONE_FILE ("template seconds variables") are reported; the line "end" ends the watch.
set -euo pipefail

done_file=$1
plain_period_s=5
declare -A predicted=()
done_seen=0
drawn=0
ended=0
columns=0

if [ -t 1 ]; then
  terminal=1
  columns=$(stty size </dev/tty 2>/dev/null | cut -d' ' -f2 || true)
  [ "${columns:-0}" -ge 40 ] || columns=80
else
  terminal=0
fi

erase_bars() {
  if [ "$drawn" -gt 0 ]; then
    printf '\033[%dA\033[J' "$drawn"
    drawn=0
  fi
}

report_done() {
  local template seconds variables
  while read -r template seconds variables; do
    done_seen=$((done_seen + 1))
    if [ "$template" = end ]; then
      ended=1
    else
      printf '  %-18s took %5s s  %-33s %s\n' "$template" "$seconds" "${predicted[$template]:-}" "$variables"
      predicted[$template]=
    fi
  done < <(tail -n +$((done_seen + 1)) "$done_file")
}

draw_bars() {
  local line
  for line in "$@"; do
    if [ "$terminal" = 1 ]; then
      printf '%s\n' "${line:0:columns-1}"
      drawn=$((drawn + 1))
    else
      printf '%s\n' "$line"
    fi
  done
}

# \watch prints nothing between two results in this mode: the row "end" closes each.
exec 3< <(
  exec psql -X -q -At -F '|' -v ON_ERROR_STOP=1 <<'SQL'
SELECT 'bar', substring(query FROM 'demo: (\w+)'), pid, round((predicted_ms / 1000)::numeric, 1),
       round((predicted_low_ms / 1000)::numeric, 1), round((predicted_high_ms / 1000)::numeric, 1), rtrim(bar)
FROM query_shaper.activity
WHERE query ~ 'demo: \w+' AND nest_level = 0 AND pid <> pg_backend_pid()
UNION ALL SELECT 'end', NULL, NULL, NULL, NULL, NULL, NULL
ORDER BY 1, 2, 3
\watch 0.4
SQL
)
watcher_pid=$!
trap 'kill $watcher_pid 2>/dev/null || true' EXIT

bars=()
plain_due=$SECONDS
while [ "$ended" = 0 ] && IFS='|' read -r -u 3 kind template pid middle low high bar; do
  if [ "$kind" = bar ]; then
    # The first one: while a statement runs, what it shows revises the prediction.
    [ -n "${predicted[$template]:-}" ] || predicted[$template]="predicted $middle s ($low to $high)"
    bars+=("$(printf '> %-18s %s' "$template" "$bar")")
    continue
  fi
  erase_bars
  report_done
  if [ "$terminal" = 1 ]; then
    draw_bars "${bars[@]}"
  elif [ "$SECONDS" -ge "$plain_due" ] && [ ${#bars[@]} -gt 0 ]; then
    draw_bars "${bars[@]}"
    plain_due=$((SECONDS + plain_period_s))
  fi
  bars=()
done
erase_bars
if [ "$ended" = 0 ]; then
  echo "watch.sh: query_shaper.activity could not be read" >&2
  exit 1
fi
