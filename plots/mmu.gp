# Minimum and bounded mutator utilisation by length of the window
# The A/A arm would repeat its baseline's curve, and a floor has the collector of another row: left out.
shown(r) = row_mmu[r] > 0 && row_kind[r] != AGAIN && row_kind[r] != FLOOR
array row_panel[rows]
do for [r = 1:rows] { row_panel[r] = 0 }
candidates = 0
do for [p = 1:panels] { if (of_collectors(p)) {
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { row_panel[r] = p; candidates = candidates + 1 } }
} }
if (!candidates) { print 'the run has no mutator utilisation: no collector was measured'; exit status 77 }

# series.csv has one value of each window and round, of either curve. Sorted by row, curve and window, and then
# by value, the middle ones are the median. Four windows come to a decade; SPAN is more than a run can have, and
# the last of them is the whole run, whose length differs from round to round. Rows of
# other metrics are missing, not undefined: an undefined one would end the curve, and each of the pieces
# would be sorted for itself.
SPAN = 64
WHOLE = SPAN - 1
MMU = 0
BMU = 1
place_of(ns) = 4 * log10(ns / 1e5)
index_of(ns) = abs(place_of(ns) - floor(place_of(ns) + 0.5)) < 1e-4 ? floor(place_of(ns) + 0.5) : WHOLE
slot(r, c, k) = (2 * (r - 1) + c) * SPAN + k + 1
slots = 2 * rows * SPAN
array count[slots]
array passed[slots]
array below[slots]
array above[slots]
array whole_ns[rows]
do for [s = 1:slots] { count[s] = 0; passed[s] = 0; below[s] = NaN; above[s] = NaN }
do for [r = 1:rows] { whole_ns[r] = 0 }
last_cell = ''
last_row = 0
row_of(cell) = cell eq last_cell ? last_row : \
    (last_cell = cell, last_row = sum [r = 1:rows] (row_panel[r] && row_cell[r] eq cell ? r : 0))
counted(s, value) = (count[s] = count[s] + 1, 2 * s + value)
measured(r, c, k, ns) = (c == MMU && k == WHOLE ? (whole_ns[r] = whole_ns[r] + ns) : 0, k)
key_of(r, c, k, ns, value) = !r || k < 0 || k >= SPAN ? NaN : counted(slot(r, c, measured(r, c, k, ns)), value)
curve_of(metric) = metric eq 'mmu' ? MMU : metric eq 'bmu' ? BMU : -1
set format x '%.9f' # a table has the axis' format, which else cuts the keys
eval from_csv
set datafile missing NaN
set table $sorted
plot 'series.csv' using (curve_of(strcol('metric')) >= 0 ? key_of(row_of(strcol('cell')), curve_of(strcol('metric')), \
    index_of(column('t_ns')), column('t_ns'), column('value')) : NaN):(1) smooth frequency
unset table
eval from_here
unset format
slot_of(key) = int(floor(key / 2 + 1e-9))
middle(s, value, n) = (passed[s] = passed[s] + n, \
    below[s] = !is_number(below[s]) && 2 * passed[s] >= count[s] ? value : below[s], \
    above[s] = !is_number(above[s]) && 2 * passed[s] > count[s] ? value : above[s], 0)
stats $sorted using (middle(slot_of($1), $1 - 2 * slot_of($1), $2)) nooutput

# A window that is longer than some of the rounds' runs has no median over all of them. The whole run comes
# behind the windows, at its mean length.
rounds_of_row(r) = count[slot(r, MMU, 0)]
ends(r, k) = k >= WHOLE || !rounds_of_row(r) || count[slot(r, MMU, k)] < rounds_of_row(r)
length_of(r, k) = ends(r, k) ? k : length_of(r, k + 1)
has_whole(r) = rounds_of_row(r) > 0 && count[slot(r, MMU, WHOLE)] == rounds_of_row(r)
array windows[rows]
array fitting[rows]
array least[rows]
index(r, k) = k < fitting[r] ? k : WHOLE
window_of(r, k) = k < fitting[r] ? 1e5 * 10 ** (0.25 * k) : whole_ns[r] / rounds_of_row(r)
part(r, c, k) = 0.5 * (below[slot(r, c, index(r, k))] + above[slot(r, c, index(r, k))])
do for [r = 1:rows] {
    fitting[r] = row_panel[r] ? length_of(r, 0) : 0
    windows[r] = fitting[r] + (fitting[r] && has_whole(r))
    least[r] = 1
    do for [k = 0:windows[r] - 1] { least[r] = minimum(least[r], part(r, MMU, k)) }
}

# A curve that stays at 1 is a word, not a line: its collector never stops the mutator.
curve(r) = windows[r] > 0 && least[r] < 1
array drawn_panel[panels]
drawn = 0
longest = 1
fewest = 1e9
most = 0
do for [p = 1:panels] { if (sum [r = 1:rows] (row_panel[r] == p && curve(r)) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p } }
if (!drawn) { print 'no collector of the run stops its mutator'; exit status 77 }
do for [a = 1:arms] { legend_arm[a] = 0 }
do for [r = 1:rows] { if (curve(r)) {
    legend_arm[row_arm[r]] = 1
    longest = maximum(longest, window_of(r, windows[r] - 1))
    fewest = minimum(fewest, rounds_of_row(r))
    most = maximum(most, rounds_of_row(r))
} }
list(p, what) = (words = '', unused = sum [r = panel_first[p]:panel_last[p]] \
    (row_kind[r] != AGAIN && row_kind[r] != FLOOR && (what ? windows[r] > 0 && least[r] >= 1 : windows[r] == 0) ? \
    (words = words . ', ' . row_name[r], 1) : 0), substr(words, 3, 2000))
note_of(p) = (list(p, 1) eq '' ? '' : 'no pauses: ' . list(p, 1)) . \
    (list(p, 1) ne '' && list(p, 0) ne '' ? '; ' : '') . (list(p, 0) eq '' ? '' : 'not measured: ' . list(p, 0))
read_panel = "set print $panel; print '0 1 0'; \
    do for [r = panel_first[p]:panel_last[p]] { do for [k = 0:windows[r] - 1] { \
        if (curve(r)) { print row_arm[r], window_of(r, k), 100 * part(r, MMU, k), 100 * part(r, count[slot(r, BMU, 0)] ? BMU : MMU, k) } \
    } }; \
    unset print"
arm_x(a) = $1 == a ? $2 : NaN
in_panel(a, p) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a && curve(r))
set_axes = "set logscale x 10; set xrange [8e4:1.25 * longest]; \
    set xtics ('0.1 ms' 1e5); do for [k = 6:12] { set xtics add (time_of(10.0**k) 10.0**k) }; \
    set yrange [text ? -7 : -2:102]; set ytics 0, 20, 100; set format y '%g %%'"

headline = 'Mutator utilisation by length of the window (higher is better)'
if (text) {
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        eval read_panel
        text_h = 22
        title = fold(title_of(p) . ': bounded mutator utilisation by window', 48)
        eval open_text
        eval set_axes
        set key outside right top Left reverse samplen 1 noenhanced
        set xlabel fold(cut(note_of(p), 100), 50) noenhanced
        plot for [a = 1:arms] $panel using (arm_x(a)):4 with points pt letters[a] \
            title (in_panel(a, p) ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

plot_w = 290
plot_h = 190
indent = 46
panel_w = indent + plot_w
note_lines = 0
do for [k = 1:drawn] { note_lines = maximum(note_lines, lines_in(fold(note_of(drawn_panel[k]), 58))) }
panel_h = 50 + plot_h + 48 + 11 * note_lines
alike = sum [k = 1:drawn] (panel_facet[drawn_panel[k]] == panel_facet[drawn_panel[1]])
columns = minimum(drawn, alike == 2 ? 2 : 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 720)
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = 'bounded and minimum: the least part of a window of time that pauses leave to a thread; median of n = ' . \
    (fewest < most ? sprintf('%d to ', fewest) : '') . plural(most, 'round')
eval open_page
eval draw_legend
eval show_labels
do for [k = 1:drawn] {
    p = drawn_panel[k]
    eval read_panel
    left = edge + (k - 1) % columns * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + (k - 1) / columns * panel_h + 50
    heading = title_of(p)
    remark = 'points: of that length or more; thin: of that length'
    eval open_panel
    eval set_axes
    set label fold(note_of(p), 58) at screen X(left - indent), Y(top + plot_h + 44) left font small tc rgb grey noenhanced
    set xlabel 'length of the window' font small tc rgb grey offset 0, 0.5
    plot for [a = 1:arms] $panel using (arm_x(a)):3 with lines lw 0.6 dt arm_dash[a] lc rgb arm_colour[a], \
        for [a = 1:arms] $panel using (arm_x(a)):4 \
        with linespoints lw 1.4 dt arm_dash[a] lc rgb arm_colour[a] pt arm_shape[a] ps 0.6
    unset label
}
eval close_page
