# How long single calls of malloc and free take, or of new and release, by percentile
array call_name[8] = ['malloc', 'free', 'realloc', 'new', 'store', 'release', 'op', 'from due to done']
CALLS = 8
COLUMNS = 4 # at most

# A call of a row is a series: k. The whole histogram is read once, into keys of series and bucket, and
# sizes of blocks fall together. Buckets are those of the file: 64 to a power of two of a sixteenth of a
# nanosecond, and each of these by itself below 8 ns.
SERIES = 4096
series_of(r, c) = (r - 1) * CALLS + c
array source[rows]
array total[rows * CALLS]
array passed[rows * CALLS]
do for [r = 1:rows] {
    source[r] = r
    do for [s = r - 1:1:-1] { if (row_cell[s] eq row_cell[r]) { source[r] = s } }
    do for [c = 1:CALLS] { k = series_of(r, c); total[k] = 0; passed[k] = 0 }
}
last_cell = ''
last_row = 0
row_of(cell) = cell eq last_cell ? last_row : \
    (last_cell = cell, last_row = sum [r = 1:rows] (source[r] == r && row_cell[r] eq cell ? r : 0))
call_of(metric) = metric[1:15] eq 'latency_malloc_' ? 1 : metric[1:13] eq 'latency_free_' ? 2 : \
    metric[1:16] eq 'latency_realloc_' ? 3 : metric eq 'latency_new_ns' ? 4 : metric eq 'latency_store_ns' ? 5 : \
    metric eq 'latency_release_ns' ? 6 : metric eq 'latency_op_ns' ? 7 : metric eq 'response_ns' ? 8 : 0
bucket_of(ns) = ns < 8 ? floor(16 * ns + 0.5) : floor(128 + 64 * (log(ns / 8) / log(2)) + 0.01)
key_of(r, c, ns, n) = !r || !c ? NaN : (total[series_of(r, c)] = total[series_of(r, c)] + n, \
    series_of(r, c) * SERIES + bucket_of(ns))
metric = 'latency_time_ns'
eval read_stats
if (!sum [r = 1:rows] (is_number(stat_median[r]))) { print 'the run has no latencies (it was run without the metric latency)'; exit status 77 }
set format x '%.0f' # a table has the axis' format, which else cuts the keys
eval from_csv
set datafile missing NaN
set table $fine
plot 'histogram.csv' using (key_of(row_of(strcol('cell')), call_of(strcol('metric')), column('low_ns'), \
    column('count'))):(column('count')) smooth frequency
unset table
eval from_here
unset format

# The upper end of a bucket against what is above it, in decades: 1 is 90 %, 2 is 99 %, .. What is in the last
# bucket stands at the place of the last call.
series_of_key(key) = int(key / SERIES)
end_of(key) = end_of_bucket(key - SERIES * series_of_key(key) + 1)
end_of_bucket(b) = b < 128 ? b / 16.0 : 8.0 * 2 ** ((b - 128) / 64.0)
decades(k, n) = (passed[k] = passed[k] + n, above = maximum(1.0 * total[k] - passed[k], 1) / total[k], -log10(above))
set table $curves
plot $fine using (k = series_of_key($1), k):(decades(k, $2)):(end_of($1)) with table
unset table

shown(r, c) = total[series_of(source[r], c)] > 0
calls_in(p, c) = sum [r = panel_first[p]:panel_last[p]] (shown(r, c))
array drawn_panel[panels * CALLS]
array drawn_call[panels * CALLS]
array drawn_line[panels * CALLS]
array drawn_column[panels * CALLS]
drawn = 0
lines = 0
columns = 0
do for [p = 1:panels] {
    n = 0
    do for [c = 1:CALLS] {
        if (calls_in(p, c)) {
            if (n == COLUMNS) { n = 0; lines = lines + 1 }
            drawn = drawn + 1
            drawn_panel[drawn] = p; drawn_call[drawn] = c; drawn_line[drawn] = lines; drawn_column[drawn] = n
            n = n + 1
            columns = maximum(columns, n)
        }
    }
    lines = lines + (n > 0)
}
if (!drawn) { print 'the run has no latencies (it was run without the metric latency)'; exit status 77 }

do for [a = 1:arms] { legend_arm[a] = 0 }
do for [r = 1:rows] { do for [c = 1:CALLS] { if (shown(r, c)) { legend_arm[row_arm[r]] = 1 } } }

# The axes of all panels are alike: percentiles to compare, and times.
most = 1
lowest = 1e300
highest = 1
note_range(x, y) = (most = maximum(most, x), highest = maximum(highest, y), \
    lowest = x >= 0.1 && y >= 1 ? minimum(lowest, y) : lowest, 0)
stats $curves using (note_range($2, $3)) nooutput
# 99.999 % and so on, of which each other one has room; gnuplot takes a tic's label for a format.
nines(d) = d > 4 && d % 2 ? '' : '99.' . '99999999'[1:d - 2] . ' %%'
set_axes = "set xrange [0:most]; set logscale y 10; set yrange [lowest / 1.8:highest * 1.5]; \
    set ytics (time_of(1) 1); do for [d = 1:12] { set ytics add (time_of(10**d) 10**d) }; \
    set xtics ('50 %%' 0.30103, '90 %%' 1, '99 %%' 2); \
    do for [d = 3:9] { if (most >= d) { set xtics add (nines(d) d) } }"
not_shown(p, c) = missing_of(panel_first[p], panel_last[p], c)
missing_of(r, last, c) = r > last ? '' : (shown(r, c) ? '' : ', ' . row_name[r]) . missing_of(r + 1, last, c)
row_in(a, p, c) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a && shown(r, c) ? source[r] : 0)
headline = 'How long single calls take (lower is better)'

if (text) {
    do for [d = 1:drawn] {
        p = drawn_panel[d]
        c = drawn_call[d]
        text_h = 22
        title = call_name[c] . ', ' . title_of(p) . ': by percentile'
        eval open_text
        eval set_axes
        set key outside right top Left reverse samplen 1 noenhanced
        plot for [a = 1:arms] $curves every 12 using ($1 == series_of(row_in(a, p, c), c) ? $2 : NaN):3 \
            with points pt letters[a] title (row_in(a, p, c) ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

plot_w = columns == 1 ? 420 : columns == 2 ? 330 : 290
plot_h = 210
indent = 48
panel_w = indent + plot_w
panel_h = 50 + plot_h + 34
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 640)
eval legend_w
page_h = head_h + legend_h + 16 + lines * panel_h + foot_h
title = headline
subtitle = 'across: a share of all calls; up: the time that none of them exceeds; ' . \
    (rounds > 0 ? plural(rounds, 'round') : 'all rounds') . ' together'
eval open_page
eval draw_legend
eval show_labels
do for [d = 1:drawn] {
    p = drawn_panel[d]
    c = drawn_call[d]
    left = edge + drawn_column[d] * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + drawn_line[d] * panel_h + 50
    heading = call_name[c] . ', ' . title_of(p)
    remark = cut(not_shown(p, c) eq '' ? '' : 'not measured: ' . substr(not_shown(p, c), 3, 200), 64)
    eval open_panel
    eval set_axes
    set datafile missing NaN
    plot for [a = 1:arms] $curves using ($1 == series_of(row_in(a, p, c), c) ? $2 : NaN):3 \
        with fsteps lw 1.5 dt arm_dash[a] lc rgb arm_colour[a]
    unset label
}
eval close_page
