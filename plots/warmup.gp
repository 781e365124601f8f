# Time of each iteration of each process, from the first one on
# The A/A arm and the floors are left out; of an object workload each cell stands in two panels, and one counts.
shown(p, r) = (of_collectors(p) || !of_objects(p)) && row_iterations[r] > 0 && row_kind[r] != AGAIN && row_kind[r] != FLOOR
drawn = 0
do for [p = 1:panels] { do for [r = panel_first[p]:panel_last[p]] { drawn = drawn + shown(p, r) } }
if (!drawn) { print 'the run has no iterations: the metric warmup was not measured'; exit status 77 }
array drawn_panel[drawn]
array drawn_row[drawn]
drawn = 0
do for [p = 1:panels] { do for [r = panel_first[p]:panel_last[p]] { if (shown(p, r)) {
    drawn = drawn + 1
    drawn_panel[drawn] = p
    drawn_row[drawn] = r
} } }

# A row's points: round, time since the begin, time for one operation, and whether it is an iteration or the begin
# of a segment.
ITERATION = 0
SEGMENT = 1
kind_of(metric) = metric eq 'iteration_ns' ? ITERATION : metric eq 'segment_ns' ? SEGMENT : -1
in_row(r) = kind_of(strcol('metric')) >= 0 && strcol('cell') eq row_cell[r]
note_point(ns, round, value, kind) = (longest = maximum(longest, 1e-6 * ns), last_round = maximum(last_round, round), \
    least = minimum(least, value), most = maximum(most, value), changes = changes + (kind == SEGMENT && ns > 0), kind)
read_row = "undefine $trace; longest = 1e-6; last_round = 0; least = 1e300; most = 0; changes = 0; \
    eval from_csv; set table $trace; \
    plot 'series.csv' using (column('round')):(1e-6 * column('t_ns')):(column('value')): \
        (in_row(r) ? note_point(column('t_ns'), column('round'), column('value'), kind_of(strcol('metric'))) : 0) \
        with table if (in_row(r)); \
    unset table; eval from_here"
iteration(n) = $1 != n ? NaN : $4 == ITERATION ? $3 : NaN
change = "($4 != SEGMENT ? NaN : $2 > 0 ? $3 : NaN)"
# A step of 1, 2 or 5 times a power of ten, of which at most five come to the longest time.
decade(v) = 10 ** floor(log10(v))
step_of(v) = v / decade(v) <= 1 ? decade(v) : v / decade(v) <= 2 ? 2 * decade(v) : v / decade(v) <= 5 ? 5 * decade(v) : 10 * decade(v)
set_axes = "set datafile missing NaN; set logscale y 10; set xrange [-0.01 * longest:1.02 * longest]; \
    set xtics step_of(longest / 5); set format x '%g ms'; \
    set yrange [(text ? 0.5 : 0.8) * least:1.25 * most]; set ytics autofreq; set format y '%.0s %c'"

headline = 'Time of each iteration from the first one on (lower is better)'
if (text) {
    do for [k = 1:drawn] {
        r = drawn_row[k]
        eval read_row
        text_h = 18
        title = fold(cut(row_name[r] . ' on ' . panel_workload[drawn_panel[k]] . ', ns/op: ' . row_labels[r], 150), 74)
        eval open_text
        eval set_axes
        unset key
        set xlabel sprintf('%d process%s; *: change point', last_round + 1, last_round > 0 ? 'es' : '') noenhanced
        plot $trace using 2:(iteration($1)) with points pt '.', $trace using 2:@change with points pt '*'
    }
    exit status 0
}

plot_w = 210
plot_h = 120
indent = 46
panel_w = indent + plot_w
panel_h = 50 + plot_h + 30
columns = minimum(drawn, 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 720)
page_h = head_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = 'ns/op, log scale, by the time since the first one began; a colour is a process, a black triangle a change point'
eval open_page
eval show_labels
do for [k = 1:drawn] {
    r = drawn_row[k]
    eval read_row
    left = edge + (k - 1) % columns * (panel_w + 28) + indent
    top = head_h + 16 + (k - 1) / columns * panel_h + 50
    heading = row_name[r] . ': ' . row_labels[r]
    remark = elide(title_of(drawn_panel[k]), 46)
    eval open_panel
    eval set_axes
    plot for [n = 0:last_round] $trace using 2:(iteration(n)) with points pt 7 ps 0.18 lc rgb palette[n % 6 + 1], \
        $trace using 2:@change with points pt 9 ps 0.8 lc rgb ink
}
eval close_page
