# Time of each collector on each allocator, relative to the fastest pair
metric = 'time_ns'
eval read_stats

# A group is the cells of one workload and number of threads. Its rows lie in several panels, the
# collectors' and each collector's own: a cell is taken from the first one. The harness' own rows are left out.
is_control(p, r) = row_kind[r] == AGAIN || (row_kind[r] == FLOOR && row_allocator[r] ne panel_on[p])
array panel_group[panels]
array group_panel[panels]
groups = 0
do for [p = 1:panels] {
    panel_group[p] = 0
    if (of_objects(p)) {
        do for [q = p - 1:1:-1] { if (of_objects(q) && same_work(p, q)) { panel_group[p] = panel_group[q] } }
        if (!panel_group[p]) { groups = groups + 1; panel_group[p] = groups; group_panel[groups] = p }
    }
}

# A field is a row of the run: its line in the group is its collector's, its column its allocator's.
array row_group[rows]
array row_line[rows]
array row_column[rows]
array group_lines[panels]
array group_columns[panels]
array fastest[panels]
do for [g = 1:panels] { group_lines[g] = 0; group_columns[g] = 0; fastest[g] = 0 }
find(r, s) = row_group[s] != row_group[r] ? 0 : \
    (at_line = row_collector[s] eq row_collector[r] ? row_line[s] : at_line, \
    at_column = row_allocator[s] eq row_allocator[r] ? row_column[s] : at_column, \
    known = known || row_cell[s] eq row_cell[r], 0)
fields = 0
do for [r = 1:rows] { row_group[r] = 0; row_line[r] = 0; row_column[r] = 0 }
do for [p = 1:panels] { if (panel_group[p]) { do for [r = panel_first[p]:panel_last[p]] { if (!is_control(p, r)) {
    g = panel_group[p]
    at_line = 0; at_column = 0; known = 0
    row_group[r] = g
    unused = sum [s = 1:r - 1] find(r, s)
    if (known) { row_group[r] = 0 } else {
        if (!at_line) { group_lines[g] = group_lines[g] + 1; at_line = group_lines[g] }
        if (!at_column) { group_columns[g] = group_columns[g] + 1; at_column = group_columns[g] }
        row_line[r] = at_line
        row_column[r] = at_column
        if (is_number(stat_median[r])) {
            fields = fields + 1
            if (!fastest[g]) { fastest[g] = r }
            if (stat_median[r] < stat_median[fastest[g]]) { fastest[g] = r }
        }
    }
} } } }
if (!groups) { print 'the run has no collectors'; exit status 77 }
if (!fields) { print 'no time of a collector was measured'; exit status 77 }

ratio(r) = stat_median[r] / stat_median[fastest[row_group[r]]]
# What stands in a field without a time, and what under one that has a time in spite of failures.
is_skip(r) = strstrt(row_failure[r], 'not run') > 0
note_of(r) = row_failure[r] eq '' ? 'no time' : is_skip(r) ? 'not run' : 'failed'
reason_of(r) = row_failure[r] eq '' ? '' : substr(row_failure[r], strstrt(row_failure[r], ': ') + 2, 200)
remark_of(g) = 'ns/op, and how many times the fastest' . \
    (fastest[g] ? ': ' . row_collector[fastest[g]] . ' on ' . row_allocator[fastest[g]] : '')

headline = 'Time of each collector on each allocator (lower is better)'

# As text: tables, cut where 80 columns end.
if (text) {
    unset output
    set print output
    names = 20
    width = 12
    fit = (80 - names) / width
    value_of(r) = is_number(stat_median[r]) ? sprintf('%s %5s', ns_of(stat_median[r]), times_of(ratio(r))) : \
        note_of(r) eq 'failed' ? cut(reason_of(r), width - 1) : note_of(r)
    do for [g = 1:groups] {
        print cut(work_of(group_panel[g]), 80)
        print cut(remark_of(g), 80)
        do for [from = 1:group_columns[g]:fit] {
            array cells[(group_lines[g] + 1) * fit]
            array line_name[group_lines[g] + 1]
            do for [k = 1:(group_lines[g] + 1) * fit] { cells[k] = '' }
            line_name[1] = ''
            do for [r = 1:rows] { if (row_group[r] == g) {
                line_name[row_line[r] + 1] = elide(row_collector[r], names - 1)
                k = row_column[r] - from + 1
                if (k >= 1 && k <= fit) {
                    cells[k] = elide(row_allocator[r], width - 1)
                    cells[row_line[r] * fit + k] = value_of(r)
                }
            } }
            do for [l = 1:group_lines[g] + 1] {
                line_text = sprintf('%-20s', line_name[l])
                do for [k = 1:fit] { line_text = line_text . sprintf('%12s', cells[(l - 1) * fit + k]) }
                print line_text
            }
            print ''
        }
    }
    unset print
    exit status 0
}

# Colours: light is fast. ColorBrewer's YlGnBu, which is told apart by all eyes and on grey paper, for the
# logarithm of the ratio; the scale is the same in all panels, and not so short that noise looks like much.
array ramp[9] = [0xFFFFD9, 0xEDF8B1, 0xC7E9B4, 0x7FCDBB, 0x41B6C4, 0x1D91C0, 0x225EA8, 0x253494, 0x081D58]
greatest = 2
do for [r = 1:rows] { if (row_group[r] && is_number(stat_median[r])) { greatest = maximum(greatest, ratio(r)) } }
part(c, k) = int(c) / k % 256
blend(i, f, k) = int((1 - f) * part(ramp[i], k) + f * part(ramp[i + 1], k) + 0.5)
mixed(i, f) = 65536 * blend(i, f, 65536) + 256 * blend(i, f, 256) + blend(i, f, 1)
step_of(v) = minimum(8 - 1e-9, maximum(0, 8 * log(v) / log(greatest)))
heat(v) = mixed(int(step_of(v)) + 1, step_of(v) - int(step_of(v)))
linear(c) = c / 255.0 <= 0.04045 ? c / 255.0 / 12.92 : ((c / 255.0 + 0.055) / 1.055) ** 2.4
luminance(c) = 0.2126 * linear(part(c, 65536)) + 0.7152 * linear(part(c, 256)) + 0.0722 * linear(part(c, 1))
# Black or white, whichever has the greater contrast (WCAG 2).
on(c) = luminance(c) > 0.179 ? 0x000000 : 0xFFFFFF

# A name that is wider than a field stands askew.
field_w = 64
line_h = 36
name_w = 0
head_w = 0
wide = 0
do for [r = 1:rows] { if (row_group[r]) {
    name_w = maximum(name_w, width_of(elide(row_collector[r], 34)) + 10)
    head_w = maximum(head_w, width_of(elide(row_allocator[r], 28)))
} }
do for [g = 1:groups] { wide = maximum(wide, group_columns[g]) }
askew = head_w > field_w - 4
names_h = askew ? 0.58 * head_w + 16 : 18
spill = askew ? maximum(0, 0.82 * head_w - field_w / 2) : 0
alike = sum [g = 1:groups] (panel_workload[group_panel[g]] eq panel_workload[group_panel[1]])
panel_w = maximum(name_w + wide * field_w + spill, 330)
columns = minimum(groups, minimum(maximum(1, int(1480 / (panel_w + 28))), alike > 1 ? alike : 3))
panel_head = 40 + names_h
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 720)
bands = (groups - 1) / columns + 1
array band_top[bands + 1]
key_h = 34
band_top[1] = head_h + key_h
do for [b = 1:bands] {
    highest = 0
    do for [g = (b - 1) * columns + 1:minimum(b * columns, groups)] { highest = maximum(highest, group_lines[g]) }
    band_top[b + 1] = band_top[b] + panel_head + highest * line_h + 32
}
page_h = band_top[bands + 1] + foot_h
title = headline
subtitle = rounds_of . '; the colour is time relative to the fastest of the panel, log scale; the fastest is framed'
eval open_page
x = edge
do for [k = 0:5] {
    v = greatest ** (0.2 * k)
    set object rectangle from screen X(x), Y(head_h + 20) to screen X(x + 44), Y(head_h + 2) fc rgb heat(v) fs solid noborder
    set label sprintf(v < 99.5 ? '%.2g' : '%.0f', v) . times at screen X(x + 22), Y(head_h + 11) center font small tc rgb on(heat(v)) noenhanced front
    x = x + 45
}
x = x + 16
no_time(note) = sum [r = 1:rows] (row_group[r] && !is_number(stat_median[r]) && note_of(r) eq note)
if (no_time('failed')) {
    set object rectangle from screen X(x), Y(head_h + 20) to screen X(x + 26), Y(head_h + 2) fc rgb grey fs pattern 4 noborder
    set label 'failed' at screen X(x + 32), Y(head_h + 11) left font small tc rgb ink noenhanced
    x = x + 82
}
if (no_time('not run')) {
    set object rectangle from screen X(x), Y(head_h + 20) to screen X(x + 26), Y(head_h + 2) fc rgb pale fs solid noborder
    set label 'not run' at screen X(x + 32), Y(head_h + 11) left font small tc rgb ink noenhanced
}
eval show_labels
unset object

# Why cells were not run, each reason once.
why_of(g) = (reasons = '', unused = sum [r = 1:rows] \
    (row_group[r] == g && is_skip(r) && !strstrt(reasons, reason_of(r)) ? (reasons = reasons . '; ' . reason_of(r), 1) : 0), \
    substr(reasons, 3, 500))
second_of(r) = !is_number(stat_median[r]) ? (note_of(r) eq 'failed' ? cut(reason_of(r), 11) : '') : \
    row_failure[r] ne '' ? word(row_failure[r], 1) . ' failed' : times_of(ratio(r))
field = 'set object rectangle from first x - 0.485, y + 0.47 to first x + 0.485, y - 0.47 '
do for [g = 1:groups] {
    left = edge + (g - 1) % columns * (panel_w + 28) + name_w
    top = band_top[(g - 1) / columns + 1] + panel_head
    plot_w = group_columns[g] * field_w
    plot_h = group_lines[g] * line_h
    indent = name_w
    heading = ''
    remark = ''
    eval open_panel
    unset border
    unset tics
    unset grid
    set label head_of(work_of(group_panel[g]), panel_w) at screen X(left - indent), Y(top - names_h - 21) left font font_of(12) tc rgb ink enhanced
    set label cut(remark_of(g), 64) at screen X(left - indent), Y(top - names_h - 6) left font small tc rgb grey noenhanced
    if (why_of(g) ne '') {
        fit = int(panel_w / 5.3)
        set label fold(cut('not run: ' . why_of(g), 2 * fit), fit) at screen X(left - indent), Y(top + plot_h + 12) left font small tc rgb grey noenhanced
    }
    set xrange [0.5:group_columns[g] + 0.5]
    set yrange [group_lines[g] + 0.5:0.5]
    array named_line[group_lines[g]]
    array named_column[group_columns[g]]
    do for [k = 1:group_lines[g]] { named_line[k] = 0 }
    do for [k = 1:group_columns[g]] { named_column[k] = 0 }
    do for [r = 1:rows] { if (row_group[r] == g) {
        x = row_column[r]
        y = row_line[r]
        if (!named_line[y]) {
            set label elide(row_collector[r], 34) at graph 0, first y right offset -1, 0 tc rgb ink noenhanced
            named_line[y] = 1
        }
        if (!named_column[x]) {
            name = elide(row_allocator[r], 28)
            if (askew) { set label name at first x, graph 1 left offset 0, 0.6 rotate by 35 tc rgb ink noenhanced } \
            else { set label name at first x, graph 1 center offset 0, 0.7 tc rgb ink noenhanced }
            named_column[x] = 1
        }
        failed = note_of(r) eq 'failed'
        has_time = is_number(stat_median[r])
        fill = has_time ? heat(ratio(r)) : failed ? 0xFFFFFF : pale
        pen = has_time ? on(fill) : ink
        eval field . 'fc rgb fill fs solid noborder'
        if (failed && !has_time) { eval field . 'fc rgb grey fs pattern 4 noborder' }
        if (r == fastest[g]) { eval field . 'fs empty border rgb ink lw 2' }
        value = has_time ? ns_of(stat_median[r]) : note_of(r)
        second = second_of(r)
        up = second eq '' ? 0 : 0.12
        if (failed && !has_time) {
            set label value at first x, y - up * 1.5 center font small tc rgb pen noenhanced boxed front
        } else {
            set label value at first x, y - up center font (has_time ? font_of(11) : small) tc rgb pen noenhanced front
        }
        if (second ne '') {
            if (failed) { set label second at first x, y + up * 1.9 center font small tc rgb failure_ink noenhanced boxed front } \
            else { set label second at first x, y + up * 2 center font small tc rgb pen noenhanced front }
        }
    } }
    plot -1 notitle
    unset label
    unset object
}
eval close_page
