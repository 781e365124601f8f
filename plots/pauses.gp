# Lengths of the collectors' pauses
# Panels of workloads without a collector have no pauses.
array drawn_panel[panels]
drawn = 0
do for [p = 1:panels] {
    if (sum [r = panel_first[p]:panel_last[p]] (row_pauses[r]) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p }
}
if (!drawn) { print 'the run has no pauses: no collector that stops its mutator was measured'; exit status 77 }

# A cell may stand in two panels: its pauses are read once, under the first of its rows.
array source[rows]
do for [r = 1:rows] {
    source[r] = r
    do for [s = r - 1:1:-1] { if (row_cell[s] eq row_cell[r]) { source[r] = s } }
}

# series.csv can be long and is read once, into fine bins of a logarithmic scale. Their width bounds the
# error of median and 99 %; the rest is exact. Rows of other metrics are missing, not undefined: an
# undefined one would end the curve, and each of the pieces would be sorted for itself.
FINE = 400.0
ROW = 10000
last_cell = ''
last_row = 0
row_of(cell) = cell eq last_cell ? last_row : \
    (last_cell = cell, last_row = sum [r = 1:rows] (source[r] == r && row_cell[r] eq cell ? r : 0))
array count[rows]
array longest[rows]
array middle[rows]
array tail[rows]
array passed[rows]
array fullest[rows]
do for [r = 1:rows] { count[r] = 0; longest[r] = 0; middle[r] = NaN; tail[r] = NaN; passed[r] = 0; fullest[r] = 1 }
shortest = 1e300
key_of(r, ns) = !r ? NaN : (count[r] = count[r] + 1, longest[r] = maximum(longest[r], ns), \
    shortest = minimum(shortest, ns), r * ROW + floor(log10(ns) * FINE))
set format x '%.0f' # a table has the axis' format, which else cuts the keys
eval from_csv
set datafile missing NaN
set table $fine
plot 'series.csv' using (strcol('metric') eq 'pause_ns' ? \
    key_of(row_of(strcol('cell')), maximum(1, column('value'))) : NaN):(1) smooth frequency
unset table
eval from_here

row_of_key(key) = int(key / ROW)
length_of(key) = 10 ** ((key - ROW * row_of_key(key) + 0.5) / FINE)
# Bins come in their order: the first one with which half of a cell's pauses have passed has the median.
pass(r, ns, n) = (passed[r] = passed[r] + n, \
    middle[r] = !is_number(middle[r]) && passed[r] >= 0.5 * count[r] ? ns : middle[r], \
    tail[r] = !is_number(tail[r]) && passed[r] >= 0.99 * count[r] ? minimum(ns, longest[r]) : tail[r], 0)
stats $fine using (pass(row_of_key($1), length_of($1), $2)) nooutput
greatest = 1
do for [r = 1:rows] { greatest = maximum(greatest, longest[r]) }

# The bars.
BARS = 20.0
set table $bars
plot $fine using (row_of_key($1) * ROW + floor(log10(length_of($1)) * BARS)):2 smooth frequency
unset table
note_fullest(r, n) = (fullest[r] = maximum(fullest[r], n), 0)
stats $bars using (note_fullest(row_of_key($1), $2)) nooutput
unset format
bar_low(key) = 10 ** ((key - ROW * row_of_key(key)) / BARS)
bar_high(key) = bar_low(key) * 10 ** (1 / BARS)

note_of(r) = row_pauses[r] ? '' : row_failure[r] ne '' ? row_failure[r] : row_measured[r] ? 'no pauses' : 'not measured'
lines(p) = panel_last[p] - panel_first[p] + 1
line_of(p, r) = r - panel_first[p] + 1
set_axis = "set logscale x 10; set xrange [shortest / 1.6:greatest * 1.6]; \
    set xtics (time_of(1) 1); \
    do for [k = 1:12] { set xtics add (time_of(10**k) 10**k) }"
read_panel = "set print $panel; print '0 0 1 1 1'; \
    do for [r = panel_first[p]:panel_last[p]] { if (row_pauses[r]) { \
        s = source[r]; print r, line_of(p, r), middle[s], tail[s], longest[s] \
    } }; \
    unset print"
headline = 'Lengths of the collectors'' pauses (shorter is better)'

if (text) {
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        text_h = lines(p) + 6
        title = title_of(p) . ': pauses (* median, | 99 %, > longest)'
        eval open_text
        eval set_axis
        eval read_panel
        set lmargin 32; set rmargin 3
        set yrange [lines(p) + 0.5:0.5]
        set ytics (' ' 1)
        do for [r = panel_first[p]:panel_last[p]] {
            set ytics add (elide(row_name[r], 28) line_of(p, r)) noenhanced
            set label cut(note_of(r), 40) at graph 0, first line_of(p, r) offset 2, 0 noenhanced
        }
        plot $panel using 5:($1 > 0 ? $2 : NaN) with points pt '>', \
            $panel using 4:($1 > 0 ? $2 : NaN) with points pt '|', \
            $panel using 3:($1 > 0 ? $2 : NaN) with points pt '*'
    }
    exit status 0
}

name_w = 0
do for [k = 1:drawn] {
    do for [r = panel_first[drawn_panel[k]]:panel_last[drawn_panel[k]]] {
        name_w = maximum(name_w, width_of(elide(row_name[r], 34)) + 10)
    }
}
columns = minimum(drawn, 2)
plot_w = columns == 1 ? 320 : 270
field_w = 52
value_w = 4 * field_w
line_h = 26
panel_head = 58
panel_foot = 36
indent = name_w
panel_w = name_w + plot_w + value_w
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 24, 700)
bands = (drawn - 1) / columns + 1
array band_h[bands]
array band_top[bands + 1]
band_top[1] = head_h + 22
do for [b = 1:bands] {
    band_h[b] = 0
    do for [k = (b - 1) * columns + 1:minimum(b * columns, drawn)] {
        band_h[b] = maximum(band_h[b], lines(drawn_panel[k]) * line_h)
    }
    band_top[b + 1] = band_top[b] + panel_head + band_h[b] + panel_foot
}
page_h = band_top[bands + 1] + foot_h
title = headline
subtitle = 'all pauses of ' . (rounds > 0 ? plural(rounds, 'round') : 'all rounds') . ', log scale; bars: how many are of that length'
eval open_page
array mark_name[3] = ['median', '99 % are shorter', 'longest']
array mark_shape[3] = [7, 2, 4]
x = edge + 6
do for [m = 1:3] {
    set label mark_name[m] at screen X(x), Y(64) left offset 0.9, -0.1 point pt mark_shape[m] ps 0.8 lc rgb ink tc rgb ink noenhanced
    x = x + width_of(mark_name[m]) + 30
}
eval show_labels
array field_name[4] = ['n', 'median', '99 %', 'longest']
do for [k = 1:drawn] {
    p = drawn_panel[k]
    left = edge + (k - 1) % columns * (panel_w + 24) + name_w
    top = band_top[(k - 1) / columns + 1] + panel_head
    plot_h = lines(p) * line_h
    heading = title_of(p)
    remark = ''
    eval open_panel
    eval set_axis
    eval read_panel
    set yrange [lines(p) + 0.5:0.5]
    set ytics 1, 1, lines(p) scale 0 format ''
    set style fill solid 0.45 noborder
    do for [m = 1:4] {
        set label field_name[m] at screen X(left + plot_w + m * field_w), Y(top - 6) right font small tc rgb grey noenhanced
    }
    do for [r = panel_first[p]:panel_last[p]] {
        y = line_of(p, r)
        s = source[r]
        shade = row_kind[r] == FLOOR ? grey : ink
        set label elide(row_name[r], 34) at graph 0, first y right offset -1, 0 tc rgb shade noenhanced
        set label cut(note_of(r), 50) at graph 0, first y left offset 1, 0 font small tc rgb (row_failure[r] eq '' ? grey : failure_ink) noenhanced
        if (row_pauses[r]) {
            array field_text[4] = [sprintf('%d', count[s]), time_of(middle[s]), time_of(tail[s]), time_of(longest[s])]
            do for [m = 1:4] {
                set label field_text[m] at screen X(left + plot_w + m * field_w), first y right font small tc rgb shade noenhanced
            }
        }
    }
    plot for [r = panel_first[p]:panel_last[p]] $bars \
            using (row_of_key($1) == source[r] ? bar_low($1) : NaN):(line_of(p, r)):(bar_low($1)):(bar_high($1)): \
                (line_of(p, r) + 0.4):(line_of(p, r) + 0.4 - 0.06 - 0.72 * $2 / fullest[source[r]]) \
            with boxxyerror lc rgb arm_colour[row_arm[r]], \
        for [m = 1:3] $panel using m + 2:($1 > 0 ? $2 + 0.4 : NaN) with points pt mark_shape[m] ps 0.7 lc rgb ink
    unset label
}
eval close_page
