# Time of the mutator and of the collector, and the overhead of collecting at least
# The A/A arm and the floors have bounds of their own, in which only one collector takes part: left out.
shown(p, r) = of_collectors(p) && row_kind[r] != AGAIN && \
    (row_kind[r] != FLOOR || row_allocator[r] eq panel_on[p])
array mutator[rows]
array collector[rows]
metric = 'mutator_ns'
eval read_stats
do for [r = 1:rows] { mutator[r] = stat_median[r] }
metric = 'collector_ns'
eval read_stats
do for [r = 1:rows] { collector[r] = stat_median[r] }
metric = 'lower_bound_overhead'
eval read_stats
low(r) = is_number(stat_low[r]) ? stat_low[r] : stat_median[r]
high(r) = is_number(stat_high[r]) ? stat_high[r] : stat_median[r]
has_time(r) = is_number(mutator[r]) && is_number(collector[r])
total(r) = mutator[r] + collector[r]

array drawn_panel[panels]
array drawn_rows[panels]
array row_line[rows]
drawn = 0
do for [r = 1:rows] { row_line[r] = 0 }
do for [p = 1:panels] {
    lines = 0
    times_here = 0
    do for [r = panel_first[p]:panel_last[p]] { if (shown(p, r)) {
        lines = lines + 1
        row_line[r] = lines
        times_here = times_here + has_time(r)
    } }
    if (times_here) { drawn = drawn + 1; drawn_panel[drawn] = p; drawn_rows[drawn] = lines } \
    else { do for [r = panel_first[p]:panel_last[p]] { row_line[r] = 0 } }
}
if (!drawn) { print 'the run has no times of mutator and collector: no collector was measured'; exit status 77 }

# The axis of the overhead is the same in all panels; that of the times is each panel's own.
least = 0.95
most = 1.3
do for [r = 1:rows] { if (row_line[r] && is_number(stat_median[r])) {
    least = minimum(least, low(r))
    most = maximum(most, high(r))
} }
least = least / 1.08
most = most * 1.08
octaves = log(most / least) / log(2)
steps = most < 1.3 ? '1 1.1 1.2' : most < 2.5 ? '1 1.2 1.5 2' : octaves < 6.5 ? '1 2 4 8 16 32 64' : \
    octaves < 13 ? '1 4 16 64 256 1024 4096' : '1 16 256 4096 65536 1048576'
longest(p) = (top_ns = 0, unused = sum [r = panel_first[p]:panel_last[p]] \
    (row_line[r] && has_time(r) ? (top_ns = maximum(top_ns, total(r)), 1) : 0), top_ns)
# What the overhead is relative to, where all that take part in it are in the panel.
bound_of(p) = (best = 0, unused = sum [r = panel_first[p]:panel_last[p]] \
    (row_line[r] && has_time(r) && (!best || mutator[r] < mutator[best]) ? (best = r, 1) : 0), best)
frees_all(p) = sum [r = panel_first[p]:panel_last[p]] \
    (row_line[r] && (row_collector[r] eq 'none' || row_collector[r] eq 'manual'))
remark_of(p) = (panel_on[p] eq '' ? '' : \
    '1' . times . ' is ' . ns_of(mutator[bound_of(p)]) . ' ns/op, the mutator under ' . row_name[bound_of(p)]) . \
    (frees_all(p) ? '' : (panel_on[p] eq '' ? '' : '; ') . 'neither none nor manual was run: the bound is not tight')
# A round step of which three to six reach to v.
step_of(v) = round_up(v / 6.0, 10 ** floor(log10(v / 6.0)))
round_up(v, ten) = ten * (v <= ten ? 1 : v <= 2 * ten ? 2 : v <= 5 * ten ? 5 : 10)
note_of(r) = has_time(r) ? '' : row_failure[r] ne '' ? row_failure[r] : 'not measured'
times_text(r) = has_time(r) ? ns_of(mutator[r]) . ' + ' . (collector[r] == 0 ? '0' : ns_of(collector[r])) : ''
overhead_of(r) = is_number(stat_median[r]) ? times_of(stat_median[r]) : ''

headline = 'Time of mutator and collector, and the least overhead (lower is better)'

# As text: a bar of characters for each row.
if (text) {
    unset output
    set print output
    BAR = 28
    repeat(c, n) = n < 1 ? '' : c . repeat(c, n - 1)
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        print cut(title_of(p), 80)
        print 'ns/op: = mutator, # collector; then the least overhead'
        do for [r = panel_first[p]:panel_last[p]] { if (row_line[r]) {
            scale = BAR / longest(p)
            bar = has_time(r) ? repeat('=', int(mutator[r] * scale + 0.5)) . \
                repeat('#', int(total(r) * scale + 0.5) - int(mutator[r] * scale + 0.5)) : cut(note_of(r), BAR)
            print sprintf('%-20s %-28s %18s %8s', elide(row_name[r], 20), bar, times_text(r), overhead_of(r))
        } }
        print ''
    }
    unset print
    exit status 0
}

name_w = 0
do for [r = 1:rows] { if (row_line[r]) { name_w = maximum(name_w, width_of(elide(row_name[r], 34)) + 10) } }
columns = minimum(drawn, 2)
bars_w = 190
times_w = 118
points_w = 150
value_w = 56
plot_w = bars_w + times_w + points_w
line_h = 24
panel_head = 68
panel_foot = 36
indent = 0
panel_w = name_w + plot_w + value_w
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 24, 820)
bands = (drawn - 1) / columns + 1
array band_top[bands + 1]
band_top[1] = head_h + 22
do for [b = 1:bands] {
    highest = 0
    do for [k = (b - 1) * columns + 1:minimum(b * columns, drawn)] { highest = maximum(highest, drawn_rows[k]) }
    band_top[b + 1] = band_top[b] + panel_head + highest * line_h + panel_foot
}
page_h = band_top[bands + 1] + foot_h
mutator_fill = 0xA6CBE3
collector_fill = 0xC24E00
title = headline
subtitle = sample . '; overhead: time over the least time that a mutator took, log scale'
eval open_page
x = edge
array fill_name[2] = ['mutator', 'collector (pauses)']
array fill_colour[2] = [mutator_fill, collector_fill]
do for [k = 1:2] {
    set object rectangle from screen X(x), Y(71) to screen X(x + 26), Y(59) fc rgb fill_colour[k] fs solid noborder
    set label fill_name[k] at screen X(x + 32), Y(65) left tc rgb ink noenhanced
    x = x + 32 + width_of(fill_name[k]) + 20
}
eval show_labels
unset object
do for [k = 1:drawn] {
    p = drawn_panel[k]
    lines = drawn_rows[k]
    row_left = edge + (k - 1) % columns * (panel_w + 24) + name_w
    top = band_top[(k - 1) / columns + 1] + panel_head
    plot_h = lines * line_h

    # Left: the bars of time.
    left = row_left
    plot_w = bars_w
    heading = ''
    remark = ''
    eval open_panel
    set label head_of(title_of(p), panel_w) at screen X(left - name_w), Y(top - 44) left font font_of(12) tc rgb ink enhanced
    set label cut(remark_of(p), 110) at screen X(left - name_w), Y(top - 28) left font small tc rgb grey noenhanced
    set xrange [0:1.02 * longest(p)]
    set xtics step_of(longest(p))
    if (longest(p) >= 1e4) { set format x '%.0s %c' }
    set yrange [lines + 0.5:0.5]
    set ytics 1, 1, lines scale 0 format ''
    unset grid
    set label 'ns/op' at screen X(left), Y(top - 6) left font small tc rgb grey noenhanced
    set label 'mutator + collector' at screen X(left + bars_w + times_w - 14), Y(top - 6) right font small tc rgb grey noenhanced
    do for [r = panel_first[p]:panel_last[p]] { if (row_line[r]) {
        y = row_line[r]
        set label elide(row_name[r], 34) at graph 0, first y right offset -1, 0 tc rgb ink noenhanced
        if (has_time(r)) {
            set object rectangle from first 0, y + 0.33 to first mutator[r], y - 0.33 fc rgb mutator_fill fs solid noborder
            set object rectangle from first mutator[r], y + 0.33 to first total(r), y - 0.33 fc rgb collector_fill fs solid noborder
            set label times_text(r) at screen X(left + bars_w + times_w - 14), first y right font small tc rgb ink noenhanced
        } else {
            set label cut(note_of(r), 50) at graph 0, first y left offset 1, 0 font small \
                tc rgb (row_failure[r] eq '' ? grey : failure_ink) noenhanced
        }
    } }
    plot -1 notitle
    unset label
    unset object

    # Right: the overhead, with its interval.
    left = row_left + bars_w + times_w
    plot_w = points_w
    eval open_panel
    set logscale x 2
    set xrange [least:most]
    set xtics ('' 0.1)
    do for [v in steps] { set xtics add (v . times real(v)) }
    set yrange [lines + 0.5:0.5]
    set ytics 1, 1, lines scale 0 format ''
    set label 'overhead' at screen X(left), Y(top - 6) left font small tc rgb grey noenhanced
    set print $points
    print '1 -1 1 1'
    do for [r = panel_first[p]:panel_last[p]] { if (row_line[r] && is_number(stat_median[r])) {
        print stat_median[r], row_line[r], low(r), high(r)
        set label overhead_of(r) at graph 1, first row_line[r] left offset 1, 0 tc rgb ink noenhanced
    } }
    unset print
    set arrow from 1, graph 0 to 1, graph 1 nohead lw 1 lc rgb ink back
    plot $points using 3:2:($4 - $3):(0) with vectors nohead lw 1.6 lc rgb ink, \
        $points using 1:2 with points pt 7 ps 0.8 lc rgb ink
    unset label
    unset arrow
}
eval close_page
