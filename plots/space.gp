# Where the footprint goes when most is live
# A floor holds all its memory from the start, which says nothing of an allocator: it is left out.
array live[rows]
array usable[rows]
array footprint[rows]
array blowup[rows]
array returned[rows]
metric = 'live_bytes'; eval read_stats
do for [r = 1:rows] { live[r] = stat_median[r] }
metric = 'blowup_after_peak'; eval read_stats
do for [r = 1:rows] { blowup[r] = stat_median[r] }
metric = 'returned_0s_bytes'; eval read_stats
do for [r = 1:rows] { returned[r] = stat_median[r] }
metric = 'internal_fragmentation'; eval read_stats
do for [r = 1:rows] { usable[r] = stat_median[r] }
metric = 'footprint_over_live_peak'; eval read_stats
do for [r = 1:rows] { footprint[r] = stat_median[r] }
shown(r) = is_number(footprint[r]) && row_kind[r] != FLOOR

array drawn_panel[panels]
drawn = 0
do for [p = 1:panels] {
    if (sum [r = panel_first[p]:panel_last[p]] (shown(r)) > 0) { drawn = drawn + 1; drawn_panel[drawn] = p }
}
if (!drawn) { print 'the run has no space of heap workloads (it was run without the metric space)'; exit status 77 }

mib = 1048576.0
bytes_of(v) = !is_number(v) ? '' : v < 10 * mib ? sprintf('%.2f', v / mib) : v < 1000 * mib ? sprintf('%.1f', v / mib) : sprintf('%.0f', v / mib)
ratio_of(v) = is_number(v) ? sprintf(v < 99.5 ? '%.2f' : '%.0f', v) : 'NA'
array field_name[5] = ['MiB', 'of live', 'usable', 'blow-up', 'freed MiB']
field(r, f) = f == 1 ? bytes_of(footprint[r] * live[r]) : f == 2 ? ratio_of(footprint[r]) : \
    f == 3 ? ratio_of(usable[r]) : f == 4 ? ratio_of(blowup[r]) : bytes_of(returned[r])
is_in(p, r) = row_kind[r] != FLOOR
lines(p) = sum [r = panel_first[p]:panel_last[p]] (is_in(p, r))
line_of(p, r) = sum [s = panel_first[p]:r] (is_in(p, s))
note_of(r) = row_failure[r] ne '' ? row_failure[r] : shown(r) ? '' : 'not measured'
# What is asked for, what the allocator says can be used of that, and the rest, in live bytes. Where blocks
# are not touched, the footprint ends before them.
edge_of(r, part) = part == 0 ? 0 : part == 1 ? minimum(1, footprint[r]) : \
    part == 2 ? minimum(is_number(usable[r]) ? maximum(1, usable[r]) : 1, footprint[r]) : footprint[r]
widest_of(p) = widest_in(panel_first[p], panel_last[p])
widest_in(r, last) = r > last ? 1 : maximum(shown(r) ? footprint[r] : 1, widest_in(r + 1, last))
array part_name[3] = ['asked for', 'added to blocks (usable over requested)', 'between blocks, kept, or tables']
array part_colour[3] = [0x0072B2, 0xE69F00, 0xC8C8C8]
read_panel = "set print $panel; print '0 0 0 0 0'; \
    do for [r = panel_first[p]:panel_last[p]] { if (shown(r)) { \
        print line_of(p, r), edge_of(r, 0), edge_of(r, 1), edge_of(r, 2), edge_of(r, 3) \
    } }; \
    unset print"
headline = 'Where the footprint goes when most is live (shorter is better)'

if (text) {
    do for [k = 1:drawn] {
        p = drawn_panel[k]
        text_h = lines(p) + 6
        title = cut(title_of(p), 34) . ': footprint in live bytes (# asked + added . rest)'
        eval open_text
        set lmargin 30; set rmargin 8
        set xrange [0:1.05 * widest_of(p)]
        set yrange [lines(p) + 0.5:0.5]
        set ytics (' ' 1)
        eval read_panel
        do for [r = panel_first[p]:panel_last[p]] { if (is_in(p, r)) {
            set ytics add (elide(row_name[r], 26) line_of(p, r)) noenhanced
            set label (shown(r) ? ratio_of(footprint[r]) : '') at graph 1, first line_of(p, r) offset 1, 0 noenhanced
            set label cut(note_of(r), 38) at graph 0, first line_of(p, r) offset 2, 0 noenhanced
        } }
        cell = 1.05 * widest_of(p) / 120
        plot for [i = 0:120] $panel using ($1 > 0 && i * cell < $5 && i * cell >= $4 ? i * cell : NaN):1 with points pt '.', \
            for [i = 0:120] $panel using ($1 > 0 && i * cell < $4 && i * cell >= $3 ? i * cell : NaN):1 with points pt '+', \
            for [i = 0:120] $panel using ($1 > 0 && i * cell < $3 ? i * cell : NaN):1 with points pt '#'
    }
    exit status 0
}

name_w = 0
do for [k = 1:drawn] {
    do for [r = panel_first[drawn_panel[k]]:panel_last[drawn_panel[k]]] {
        if (is_in(drawn_panel[k], r)) { name_w = maximum(name_w, width_of(elide(row_name[r], 30)) + 10) }
    }
}
columns = minimum(drawn, 2)
field_w = 55
value_w = 5 * field_w + 8
plot_w = columns == 1 ? 360 : 230
line_h = 22
panel_head = 62
panel_foot = 36
indent = name_w
panel_w = name_w + plot_w + value_w
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 24, 720)
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
subtitle = rounds_of . '; 1 is all that is asked for'
eval open_page
x = edge + 6
do for [i = 1:3] {
    set label part_name[i] at screen X(x), Y(64) left offset 0.9, -0.1 point pt 5 ps 1 lc rgb part_colour[i] tc rgb ink noenhanced
    x = x + width_of(part_name[i]) + 30
}
eval show_labels
do for [k = 1:drawn] {
    p = drawn_panel[k]
    left = edge + (k - 1) % columns * (panel_w + 24) + name_w
    top = band_top[(k - 1) / columns + 1] + panel_head
    plot_h = lines(p) * line_h
    heading = title_of(p)
    remark = ''
    eval open_panel
    eval read_panel
    set xrange [0:1.04 * widest_of(p)]
    set yrange [lines(p) + 0.5:0.5]
    set ytics 1, 1, lines(p) scale 0 format ''
    unset grid
    set grid xtics lt 1 lw 0.5 lc rgb pale
    set style fill solid 1 noborder
    do for [f = 1:5] {
        set label field_name[f] at screen X(left + plot_w + f * field_w + 4), Y(top - 6) right font small tc rgb grey noenhanced
    }
    do for [r = panel_first[p]:panel_last[p]] { if (is_in(p, r)) {
        y = line_of(p, r)
        set label elide(row_name[r], 30) at graph 0, first y right offset -1, 0 tc rgb ink noenhanced
        set label cut(note_of(r), 40) at graph 0, first y left offset 1, 0 font small tc rgb (row_failure[r] eq '' ? grey : failure_ink) noenhanced
        if (shown(r)) {
            do for [f = 1:5] {
                set label field(r, f) at screen X(left + plot_w + f * field_w + 4), first y right font small tc rgb ink noenhanced
            }
        }
    } }
    set arrow from 1, graph 0 to 1, graph 1 nohead lw 1 lc rgb ink front
    plot for [i = 1:3] $panel using (column(i + 1)):1:(column(i + 1)):(column(i + 2)):($1 > 0 ? $1 - 0.32 : NaN):($1 + 0.32) \
        with boxxyerror lc rgb part_colour[i]
    unset label
    unset arrow
}
eval close_page
