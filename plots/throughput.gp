# Operations per second of each arm, relative to the baseline
metric = 'ops_per_second'
eval read_stats
measured = sum [r = 1:rows] (is_number(stat_median[r]))
if (!measured) { print 'no operations per second were measured'; exit status 77 }

# A row shows its ratio to the panel's baseline, and the baseline itself stands at 1.
times = text ? 'x' : '×'
ratio(r) = row_kind[r] == BASELINE && is_number(stat_median[r]) ? 1 : stat_ratio[r]
low(r) = row_kind[r] != BASELINE && is_number(stat_ratio_low[r]) ? stat_ratio_low[r] : ratio(r)
high(r) = row_kind[r] != BASELINE && is_number(stat_ratio_high[r]) ? stat_ratio_high[r] : ratio(r)
digits(v) = v < 0.1 ? '%.3f' : v < 9.995 ? '%.2f' : '%.1f'
value_of(r) = is_number(ratio(r)) ? sprintf(digits(ratio(r)), ratio(r)) . times : ''
name_of(r) = elide(row_name[r], text ? 20 : 32) . \
    (row_measured[r] && row_failure[r] ne '' ? ' (' . word(row_failure[r], 1) . ' failed)' : '')
note_of(r) = is_number(ratio(r)) ? '' : is_number(stat_median[r]) ? short(stat_median[r]) . 'op/s, no ratio' : \
    row_failure[r] ne '' ? row_failure[r] : 'not measured'

# The axis is the same in all panels.
least = 0.95
most = 1.05
do for [r = 1:rows] {
    if (is_number(ratio(r))) { least = minimum(least, low(r)); most = maximum(most, high(r)) }
}
near = least > 0.72 && most < 1.39
least = near ? minimum(least / 1.02, 0.88) : least / 1.1
most = near ? maximum(most * 1.02, 1.14) : most * 1.1
step = log(most / least) / log(2) > 6 ? 4.0 : 2.0
tick(v) = (v < 0.4 ? sprintf('1/%g', 1 / v) : sprintf('%g', v)) . times
set_axis = "set logscale x 2; set xrange [least:most]; \
    if (near) { \
        set xtics (tick(0.8) 0.8, tick(0.9) 0.9, tick(1) 1, tick(1.1) 1.1, tick(1.25) 1.25) \
    } else { \
        set xtics (tick(1) 1); \
        do for [k = 1:10] { set xtics add (tick(step**k) step**k, tick(step**-k) step**-k) } \
    }"

# A panel's rows from the top: row number, line, ratio, interval, and what its mark says.
FASTER = 1
SLOWER = 2
UNDECIDED = 3
mark(r) = row_kind[r] == FLOOR ? 4 : row_kind[r] == AGAIN ? 5 : \
    stat_verdict[r] eq 'faster' && ratio(r) > 1 ? FASTER : \
    stat_verdict[r] eq 'slower' && ratio(r) < 1 ? SLOWER : UNDECIDED
read_panel = "set print $panel; print '# row line ratio low high mark'; \
    do for [r = panel_first[p]:panel_last[p]] { \
        if (is_number(ratio(r))) { \
            print r, r - panel_first[p] + 1, ratio(r), low(r), high(r), mark(r) \
        } \
    }; \
    print 0, 0, 1, 1, 1, 0; unset print"
lines(p) = panel_last[p] - panel_first[p] + 1

headline = 'Operations per second, relative to the baseline (higher is better)'

# As text, one chart after the other.
if (text) {
    do for [p = 1:panels] {
        title = title_of(p) . ': op/s relative to ' . reference_of(p)
        text_h = lines(p) + 6
        eval open_text
        eval set_axis
        eval read_panel
        set lmargin 32; set rmargin 8
        set yrange [lines(p) + 0.5:0.5]
        set ytics (' ' 1)
        do for [r = panel_first[p]:panel_last[p]] {
            y = r - panel_first[p] + 1
            set ytics add (name_of(r) y) noenhanced
            set label value_of(r) at graph 1, first y offset 1, 0 noenhanced
            set label cut(note_of(r), 38) at first 1, first y offset 2, 0 noenhanced
        }
        set arrow from 1, graph 0 to 1, graph 1 nohead
        plot $panel using 4:2:($5 - $4):(0) with vectors nohead lt 2, \
            $panel using ($6 == 5 ? $3 : NaN):2 with points pt 'o', \
            $panel using ($6 == 4 ? $3 : NaN):2 with points pt '#', \
            $panel using ($6 > 0 && $6 < 4 ? $3 : NaN):2 with points pt '*'
    }
    exit status 0
}

# Panels that differ in their threads stand side by side.
name_w = 0
do for [r = 1:rows] { name_w = maximum(name_w, width_of(name_of(r)) + 10) }
value_w = 50
line_h = 19
panel_head = 50
panel_foot = 34
alike = sum [p = 1:panels] (panel_facet[p] == 1)
columns = minimum(panels, alike == 1 || alike == 3 ? 3 : 2)
plot_w = columns == 3 ? 210 : 280
panel_w = name_w + plot_w + value_w
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 20, 640)
bands = (panels - 1) / columns + 1
array band_h[bands]
array band_top[bands + 1]
band_top[1] = head_h + 22
do for [b = 1:bands] {
    band_h[b] = 0
    do for [p = (b - 1) * columns + 1:minimum(b * columns, panels)] { band_h[b] = maximum(band_h[b], lines(p) * line_h) }
    band_top[b + 1] = band_top[b] + panel_head + band_h[b] + panel_foot
}
page_h = band_top[bands + 1] + foot_h

title = headline
subtitle = sample . '; log scale'
eval open_page
array mark_name[5] = ['faster', 'slower', 'no difference shown', 'the harness itself', 'the baseline again']
array mark_shape[5] = [9, 11, 7, 5, 6]
array mark_colour[5] = [0x0072B2, 0xD55E00, ink, grey, ink]
x = edge + 6
do for [k = 1:5] {
    set label mark_name[k] at screen X(x), Y(64) left offset 0.9, -0.1 point pt mark_shape[k] ps 0.8 lc rgb mark_colour[k] tc rgb ink noenhanced
    x = x + width_of(mark_name[k]) + 30
}
eval show_labels

do for [p = 1:panels] {
    left = edge + (p - 1) % columns * (panel_w + 20) + name_w
    top = band_top[(p - 1) / columns + 1] + panel_head
    plot_h = lines(p) * line_h
    indent = name_w
    heading = title_of(p)
    remark = reference_of(p) eq '' ? 'no baseline' : 'relative to ' . reference_of(p)
    eval open_panel
    eval set_axis
    eval read_panel
    set yrange [lines(p) + 0.5:0.5]
    set ytics 1, 1, lines(p) scale 0 format ''
    do for [r = panel_first[p]:panel_last[p]] {
        y = r - panel_first[p] + 1
        shade = row_kind[r] == FLOOR ? grey : ink
        set label name_of(r) at graph 0, first y right offset -1, 0 tc rgb shade noenhanced
        set label value_of(r) at graph 1, first y left offset 1, 0 tc rgb shade noenhanced
        if (note_of(r) ne '') {
            set label cut(note_of(r), 40) at graph 0, first y left offset 1, 0 font small \
                tc rgb (is_number(stat_median[r]) ? grey : failure_ink) noenhanced boxed front
        }
    }
    set arrow from 1, graph 0 to 1, graph 1 nohead lw 1 lc rgb ink back
    plot $panel using 4:2:($5 - $4):(0) with vectors nohead lw 1.6 lc rgb ink, \
        for [k = 1:5] $panel using ($6 == k ? $3 : NaN):2 with points pt mark_shape[k] ps 0.8 lw 1.4 lc rgb mark_colour[k]
    unset label
    unset arrow
}
eval close_page
