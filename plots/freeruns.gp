# How long the free runs of heaps are
# Only some allocators can be walked. histogram.csv has their runs, of the first round; here they fall into
# powers of two, and what is drawn is how much of all free bytes lies in runs of such a length. An A/A arm has
# the baseline's once more.
PEAK = 1
END = 2
OCTAVES = 44
metric = 'largest_free_run_bytes_peak'
eval read_stats
array source[rows]
do for [r = 1:rows] {
    source[r] = r
    do for [s = r - 1:1:-1] { if (row_cell[s] eq row_cell[r]) { source[r] = s } }
}
shown(r) = is_number(stat_median[r]) && row_kind[r] != AGAIN && row_kind[r] != FLOOR
array drawn_panel[panels]
drawn = 0
do for [p = 1:panels] {
    if (sum [r = panel_first[p]:panel_last[p]] (shown(r)) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p }
}
if (!drawn) { print 'the run has no heap that can be walked, or it was run without the metric space'; exit status 77 }
do for [a = 1:arms] { legend_arm[a] = 0 }
do for [r = 1:rows] { if (shown(r)) { legend_arm[row_arm[r]] = 1 } }

array bytes[rows * 2 * OCTAVES]
array total[rows * 2]
do for [i = 1:rows * 2 * OCTAVES] { bytes[i] = 0 }
do for [i = 1:rows * 2] { total[i] = 0 }
series_of(r, w) = (r - 1) * 2 + w
slot(r, w, k) = (series_of(r, w) - 1) * OCTAVES + k + 1
octave_of(n) = n < 2 ? 0 : minimum(OCTAVES - 1, floor(log(n) / log(2) + 1e-9))
when_of(metric) = metric eq 'free_run_bytes_peak' ? PEAK : metric eq 'free_run_bytes_end' ? END : 0
last_cell = ''
last_row = 0
row_of(cell) = cell eq last_cell ? last_row : \
    (last_cell = cell, last_row = sum [r = 1:rows] (source[r] == r && row_cell[r] eq cell ? r : 0))
take(r, w, low, n) = !r || !w ? 0 : (i = slot(r, w, octave_of(low)), bytes[i] = bytes[i] + n * low, \
    i = series_of(r, w), total[i] = total[i] + n * low, 1)
eval from_csv
set table $unused
plot 'histogram.csv' using (take(row_of(strcol('cell')), when_of(strcol('metric')), column('low_ns'), column('count'))) with table
unset table
eval from_here

# The octaves in which there is anything, in any panel.
least = OCTAVES
most = 0
do for [r = 1:rows] { if (shown(r) && source[r] == r) { do for [w = PEAK:END] { do for [k = 0:OCTAVES - 1] {
    if (bytes[slot(r, w, k)] > 0) { least = minimum(least, k); most = maximum(most, k) }
} } } }
if (least > most) { least = 4; most = 5 }
size_of(k) = k < 10 ? sprintf('%.0f', 2.0 ** k) : k < 20 ? sprintf('%.0f K', 2.0 ** (k - 10)) : \
    k < 30 ? sprintf('%.0f M', 2.0 ** (k - 20)) : sprintf('%.0f G', 2.0 ** (k - 30))
percent(r, w, k) = total[series_of(source[r], w)] > 0 ? 100.0 * bytes[slot(source[r], w, k)] / total[series_of(source[r], w)] : NaN
# Arm, peak or end, octave, share.
read_panel = "set print $runs; print '0 0 0 0'; \
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { do for [w = PEAK:END] { \
        do for [k = least:most] { print row_arm[r], w, k, percent(r, w, k) }; \
        print row_arm[r], w, most + 1, percent(r, w, most) \
    } } }; \
    unset print"
not_shown(p) = missing_of(panel_first[p], panel_last[p])
missing_of(r, last) = r > last ? '' : (shown(r) || row_kind[r] == AGAIN || row_kind[r] == FLOOR ? '' : ', ' . row_name[r]) . missing_of(r + 1, last)
in_panel(a, p) = sum [r = panel_first[p]:panel_last[p]] (row_arm[r] == a && shown(r))
headline = 'How long the free runs of heaps are'
step = most - least > 12 ? 4 : 2
set_axes = "set xrange [least:most + 1]; set yrange [0:*]; set xtics (size_of(least) least); \
    do for [k = least + step:most:step] { set xtics add (size_of(k) k) }; set format y '%g %%'; set datafile missing NaN"

if (text) {
    do for [d = 1:drawn] {
        p = drawn_panel[d]
        eval read_panel
        text_h = 20
        title = cut(title_of(p), 34) . ': share of free bytes by bytes of run'
        eval open_text
        eval set_axes
        set key outside right top Left reverse samplen 1 noenhanced
        plot for [a = 1:arms] $runs using ($1 == a && $2 == PEAK && $3 <= most ? $3 + 0.5 : NaN):4 \
            with points pt letters[a] title (in_panel(a, p) ? elide(arm_name[a], 22) : '')
    }
    exit status 0
}

plot_w = 290
plot_h = 170
indent = 46
panel_w = indent + plot_w
panel_h = 50 + plot_h + 34
alike = sum [d = 1:drawn] (panel_facet[drawn_panel[d]] == panel_facet[drawn_panel[1]])
columns = minimum(drawn, alike == 2 ? 2 : 3)
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 640)
legend_live = 'dashed: at the end of the work'
eval legend_w
page_h = head_h + legend_h + 16 + (drawn - 1) / columns * panel_h + panel_h + foot_h
title = headline
subtitle = 'across: bytes of a run, by powers of two; up: its share of all free bytes of the heap; one round'
eval open_page
eval draw_legend
eval show_labels
do for [d = 1:drawn] {
    p = drawn_panel[d]
    eval read_panel
    left = edge + (d - 1) % columns * (panel_w + 28) + indent
    top = head_h + legend_h + 16 + (d - 1) / columns * panel_h + 50
    heading = title_of(p)
    remark = cut(not_shown(p) eq '' ? 'when most was live' : 'not walked: ' . substr(not_shown(p), 3, 200), 58)
    eval open_panel
    eval set_axes
    plot for [a = 1:arms] $runs using ($1 == a && $2 == END ? $3 : NaN):4 with steps lw 1.2 dt 2 lc rgb arm_colour[a], \
        for [a = 1:arms] $runs using ($1 == a && $2 == PEAK ? $3 : NaN):4 with steps lw 1.8 lc rgb arm_colour[a]
    unset label
}
eval close_page
