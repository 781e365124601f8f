# Time against space over the values of swept parameters
# Beside each plane of time and space, what the parameter does to one metric at a time.
if (!sweeps) { print 'the run has no sweep of a parameter (heapmark run --sweep)'; exit status 77 }

# The four metrics, one after another: value m of row r is at place at(m, r).
TIME = 1; SPACE = 2; PAUSE = 3; GARBAGE = 4
array metric_name[4] = ['time_ns', 'footprint_bytes', 'pause_max_ns', 'unfreed_objects']
array metric_title[4] = ['time, ns for one operation', 'highest footprint, MiB', 'longest pause, ms', 'objects not freed at the end']
array metric_unit[4] = [1, 1048576.0, 1e6, 1]
at(m, r) = (m - 1) * rows + r
array median[4 * rows]
array low[4 * rows]
array high[4 * rows]
do for [m = 1:4] {
    metric = metric_name[m]
    eval read_stats
    if (m == TIME) { sample_of = 'time: ' . sample }
    if (m == SPACE) { sample_of = sample_of . '; footprint: n = ' . sprintf('%.0f', most_rounds) }
    do for [r = 1:rows] {
        median[at(m, r)] = stat_median[r] / metric_unit[m]
        low[at(m, r)] = (is_number(stat_low[r]) ? stat_low[r] : stat_median[r]) / metric_unit[m]
        high[at(m, r)] = (is_number(stat_high[r]) ? stat_high[r] : stat_median[r]) / metric_unit[m]
    }
}
has(m, i) = is_number(median[at(m, point_row[i])])
in_plane(i) = has(TIME, i) && has(SPACE, i)
sheet_points(s) = curve_last[sheet_last[s]]
first_point(s) = curve_first[sheet_first[s]]
array drawn_sheet[sheets + 1]
drawn = 0
do for [s = 1:sheets] {
    if (sum [i = first_point(s):sheet_points(s)] (in_plane(i))) { drawn = drawn + 1; drawn_sheet[drawn] = s }
}
if (!drawn) { print 'no swept part has both times and footprints (metrics time and space)'; exit status 77 }

# A metric is drawn where it is known and not 0 throughout: collectors that never stop have no pauses.
told(s, m) = sum [i = first_point(s):sheet_points(s)] (has(m, i) && median[at(m, point_row[i])] > 0)
missing_in(s) = missing_from(first_point(s), sheet_points(s))
missing_from(i, last) = i > last ? '' : (in_plane(i) ? '' : ', ' . point_text[i] . \
    (row_failure[point_row[i]] eq '' ? '' : ' (' . row_failure[point_row[i]] . ')')) . missing_from(i + 1, last)

# Where the values lie: by their logarithm, or one after another where some are words, or not above 0.
numeric(s) = !(sum [i = first_point(s):sheet_points(s)] (!(point_number[i] > 0)))
place(s, c, i) = numeric(s) ? point_number[i] : i - curve_first[c] + 1
keys_of(s) = sum [c = sheet_first[s]:sheet_last[s]] (curve_key[c] ne curve_key[sheet_first[s]])
axis_of(s) = keys_of(s) ? (numeric(s) ? "the parameter's value, log scale" : 'values in their order') : \
    curve_key[sheet_first[s]] . (numeric(s) ? ', log scale' : '')
tick_text(s, c, i) = numeric(s) || !keys_of(s) ? elide(point_text[i], 8) : sprintf('%d', place(s, c, i))

# What a sheet reaches over, the part at its defaults with it.
stands(m, r) = r && is_number(median[at(m, r)])
smallest(s, m) = (v = 1e300, unused = (sum [i = first_point(s):sheet_points(s)] \
    (has(m, i) ? (v = minimum(v, low[at(m, point_row[i])]), 1) : 0)) + (sum [c = sheet_first[s]:sheet_last[s]] \
    (stands(m, curve_unswept[c]) ? (v = minimum(v, median[at(m, curve_unswept[c])]), 1) : 0)), v)
largest(s, m) = (v = -1e300, unused = (sum [i = first_point(s):sheet_points(s)] \
    (has(m, i) ? (v = maximum(v, high[at(m, point_row[i])]), 1) : 0)) + (sum [c = sheet_first[s]:sheet_last[s]] \
    (stands(m, curve_unswept[c]) ? (v = maximum(v, median[at(m, curve_unswept[c])]), 1) : 0)), v)
digits(v) = v < 9.995 ? sprintf('%.2f', v) : v < 99.95 ? sprintf('%.1f', v) : sprintf('%.0f', v)
value_of(m, r) = is_number(median[at(m, r)]) ? digits(median[at(m, r)]) : 'NA'
# A round step of which two to four reach to v.
step_of(v) = round_up(v / 4.0, 10 ** floor(log10(v / 4.0)))
round_up(v, ten) = ten * (v <= ten ? 1 : v <= 2 * ten ? 2 : v <= 5 * ten ? 5 : 10)
headline = 'Time against space over the values of a parameter (lower left is better)'

# As text: a line for each value.
if (text) {
    unset output
    set print output
    do for [k = 1:drawn] {
        s = drawn_sheet[k]
        print cut(sheet_title[s], 80)
        do for [c = sheet_first[s]:sheet_last[s]] {
            print sprintf('  %-30s %10s %12s %11s %11s', cut(curve_name[c], 30), 'ns/op', 'peak MiB', 'pause ms', 'not freed')
            do for [i = curve_first[c]:curve_last[c]] {
                r = point_row[i]
                print sprintf('    %-28s %10s %12s %11s %11s', cut(point_text[i] . (r == curve_unswept[c] ? ' (default)' : ''), 28), \
                    value_of(TIME, r), value_of(SPACE, r), value_of(PAUSE, r), \
                    is_number(median[at(GARBAGE, r)]) ? sprintf('%.0f', median[at(GARBAGE, r)]) : 'NA')
            }
            r = curve_unswept[c]
            if (r && !(sum [i = curve_first[c]:curve_last[c]] (point_row[i] == r))) {
                print sprintf('    %-28s %10s %12s %11s %11s', 'default', value_of(TIME, r), value_of(SPACE, r), value_of(PAUSE, r), \
                    is_number(median[at(GARBAGE, r)]) ? sprintf('%.0f', median[at(GARBAGE, r)]) : 'NA')
            }
        }
        print ''
    }
    unset print
    exit status 0
}

# Curves of one name have one colour on all sheets.
hue(c) = palette[(curve_colour[c] - 1) % 6 + 1]
shape(c) = shapes[(curve_colour[c] - 1) % 5 + 1]
dash(c) = curve_colour[c] > 6 ? 2 : 1

plane_w = 380
plane_h = 268
indent = 50
reading_w = 172
reading_h = 92
gap_x = 52
gap_y = 64
sheet_h = 50 + plane_h + 52
page_w = 2 * edge + indent + plane_w + 2 * (gap_x + reading_w)
array entry_curve[curves + 1]
entries = 0
do for [c = 1:curves] {
    if (!(sum [e = 1:entries] (curve_colour[entry_curve[e]] == curve_colour[c]))) {
        entries = entries + 1
        entry_curve[entries] = c
    }
}
ring_name = 'at its defaults'
entry_w = width_of(ring_name) + 44
do for [e = 1:entries] { entry_w = maximum(entry_w, width_of(elide(curve_name[entry_curve[e]], 46)) + 44) }
legend_columns = maximum(1, int((page_w - 2 * edge) / entry_w))
ringed = (sum [c = 1:curves] (curve_unswept[c])) > 0
legend_h = (entries + ringed + legend_columns - 1) / legend_columns * 17
page_h = head_h + legend_h + 16 + drawn * sheet_h + foot_h
title = headline
subtitle = sample_of . '; at points: the value' . (ringed ? '; dotted: the defaults, where they are none of the values' : '')
eval open_page
do for [e = 1:entries + ringed] {
    x = edge + (e - 1) % legend_columns * entry_w
    y = head_h + 8 + (e - 1) / legend_columns * 17
    if (e <= entries) {
        c = entry_curve[e]
        set arrow from screen X(x), Y(y) to screen X(x + 26), Y(y) nohead lw 1.5 dt dash(c) lc rgb hue(c)
        set label elide(curve_name[c], 46) at screen X(x + 13), Y(y) left offset 2.6, -0.1 point pt shape(c) ps 0.8 \
            lc rgb hue(c) tc rgb ink noenhanced
    } else {
        set label ring_name at screen X(x + 13), Y(y) left offset 2.6, -0.1 point pt 6 ps 1.5 lc rgb ink tc rgb ink noenhanced
    }
}
eval show_labels

# Labels of points: each is tried on four sides, and left out where it would hide something. Boxes in pixels: centre and half of the size.
array box_x[2 * points + 1]
array box_y[2 * points + 1]
array box_w[2 * points + 1]
array box_h[2 * points + 1]
boxes = 0
overlaps(x, y, w, h) = sum [b = 1:boxes] (abs(box_x[b] - x) < box_w[b] + w && abs(box_y[b] - y) < box_h[b] + h)
put_box(x, y, w, h) = (boxes = boxes + 1, box_x[boxes] = x, box_y[boxes] = y, box_w[boxes] = w, box_h[boxes] = h, 1)
side_x(k, w) = k == 1 ? 8 + w : k == 2 ? -8 - w : 0
side_y(k) = k == 3 ? -13 : k == 4 ? 13 : 0
outside(x, y, w) = x - w < left || x + w > left + plot_w + 30 || y < top - 4 || y > top + plot_h - 8
free_side(x, y, w) = free_from(1, x, y, w)
free_from(k, x, y, w) = k > 4 ? 0 : overlaps(x + side_x(k, w), y + side_y(k), w, 5) || outside(x + side_x(k, w), y + side_y(k), w) ? \
    free_from(k + 1, x, y, w) : k

# A range with some room at both ends; by logarithm where it is wide.
FAR = 12
far(s, m) = smallest(s, m) > 0 && largest(s, m) > FAR * smallest(s, m)
room(s, m) = 0.08 * (largest(s, m) - smallest(s, m)) + 0.03 * largest(s, m)
from_of(s, m) = far(s, m) ? smallest(s, m) / 1.25 : maximum(0, smallest(s, m) - room(s, m))
to_of(s, m) = far(s, m) ? largest(s, m) * 1.25 : largest(s, m) + room(s, m) + (largest(s, m) == 0)
share(s, m, v) = far(s, m) ? log(v / from_of(s, m)) / log(to_of(s, m) / from_of(s, m)) : \
    (v - from_of(s, m)) / (to_of(s, m) - from_of(s, m))
# Round numbers for a logarithmic axis: gnuplot's own are a decade apart.
ticks_of = "steps = largest(s, m) / smallest(s, m) > most_ratio ? '1' : '1 2 5'; list = ''; \
    do for [d = -4:8] { do for [step in steps] { list = list . sprintf(' %.10g', step * 10.0**d) } }"
most_ratio = 200
tick_of(v) = gprintf(v < 1e4 ? '%g' : '%.0s %c', 1.0 * v)
# curve, place, then for each metric: median, low, high
print_point = "r = point_row[i]; \
    print c, place(s, c, i), median[at(1, r)], low[at(1, r)], high[at(1, r)], median[at(2, r)], low[at(2, r)], high[at(2, r)], \
        median[at(3, r)], low[at(3, r)], high[at(3, r)], median[at(4, r)], low[at(4, r)], high[at(4, r)]"
read_sheet = "set print $sheet; print '0 0 0 0 0 0 0 0 0 0 0 0 0 0'; \
    do for [c = sheet_first[s]:sheet_last[s]] { do for [i = curve_first[c]:curve_last[c]] { eval print_point } }; \
    unset print"
of(c, v) = $1 == c ? v : NaN

do for [k = 1:drawn] {
    s = drawn_sheet[k]
    eval read_sheet

    # The plane.
    left = edge + indent
    top = head_h + legend_h + 16 + (k - 1) * sheet_h + 50
    plot_w = plane_w
    plot_h = plane_h
    panel_w = page_w - 2 * edge
    heading = sheet_title[s]
    remark = cut((sheet_kind[s] eq 'workload' ? 'each value is other work: compare at the same value; ' : '') . 'ns for one operation' . (far(s, TIME) ? ', log scale' : '') . (missing_in(s) eq '' ? '' : \
        '; not measured: ' . substr(missing_in(s), 3, 200)), 88)
    eval open_panel
    set datafile missing NaN
    if (far(s, SPACE)) {
        set logscale x
        set xtics ('' 1)
        m = SPACE; eval ticks_of
        do for [v in list] { set xtics add (tick_of(real(v)) real(v)) }
    }
    if (far(s, TIME)) {
        set logscale y
        set ytics ('' 1)
        m = TIME; eval ticks_of
        do for [v in list] { set ytics add (tick_of(real(v)) real(v)) }
    }
    set xrange [from_of(s, SPACE):to_of(s, SPACE)]
    set yrange [from_of(s, TIME):to_of(s, TIME)]
    set xlabel 'MiB held from the system at most' . (far(s, SPACE) ? ', log scale' : '') font small tc rgb grey offset 0, 0.5
    boxes = 0
    do for [i = first_point(s):sheet_points(s)] { if (in_plane(i)) {
        r = point_row[i]
        unused = put_box(left + plot_w * share(s, SPACE, median[at(SPACE, r)]), top + plot_h * (1 - share(s, TIME, median[at(TIME, r)])), 4, 4)
    } }
    set print $unswept
    print '0 0'
    do for [c = sheet_first[s]:sheet_last[s]] {
        r = curve_unswept[c]
        if (r && is_number(median[at(TIME, r)]) && is_number(median[at(SPACE, r)])) { print median[at(SPACE, r)], median[at(TIME, r)] }
    }
    unset print
    do for [c = sheet_first[s]:sheet_last[s]] { do for [i = curve_first[c]:curve_last[c]] { if (in_plane(i)) {
        r = point_row[i]
        word = elide(point_text[i], 14)
        w = 3.1 * strlen(word)
        x = left + plot_w * share(s, SPACE, median[at(SPACE, r)])
        y = top + plot_h * (1 - share(s, TIME, median[at(TIME, r)]))
        side = free_side(x, y, w)
        if (side) {
            unused = put_box(x + side_x(side, w), y + side_y(side), w, 5)
            set label word at screen X(x + side_x(side, w)), Y(y + side_y(side)) center font small tc rgb hue(c) noenhanced boxed front
        }
    } } }
    plot for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $6)):(of(c, $3)) with lines lw 1.2 dt dash(c) lc rgb hue(c), \
        for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $7)):3:($8 - $7):(0) with vectors nohead lw 0.8 lc rgb hue(c), \
        for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $6)):4:(0):($5 - $4) with vectors nohead lw 0.8 lc rgb hue(c), \
        for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $6)):3 with points pt shape(c) ps 0.8 lc rgb hue(c), \
        $unswept using ($2 > 0 ? $1 : NaN):2 with points pt 6 ps 1.5 lw 1.2 lc rgb ink
    unset label
    unset arrow

    # One metric at a time.
    readings = 0
    do for [m = 1:4] { if (told(s, m)) {
        left = edge + indent + plane_w + gap_x + readings % 2 * (reading_w + gap_x)
        top = head_h + legend_h + 16 + (k - 1) * sheet_h + 50 + readings / 2 * (reading_h + gap_y + 20)
        readings = readings + 1
        plot_w = reading_w
        plot_h = reading_h
        panel_w = reading_w
        heading = ''
        remark = ''
        eval open_panel
        set datafile missing NaN
        set label metric_title[m] . (far(s, m) ? ', log' : '') at screen X(left - 30), Y(top - 12) left font small tc rgb grey noenhanced
        set xlabel axis_of(s) font small tc rgb grey offset 0, 0.7 noenhanced
        if (far(s, m)) {
            set logscale y
            set yrange [from_of(s, m):to_of(s, m)]
            set ytics ('' 1)
            most_ratio = 60
            eval ticks_of
            most_ratio = 200
            do for [v in list] { set ytics add (tick_of(real(v)) real(v)) }
        } else {
            set yrange [0:1.08 * largest(s, m)]
            set ytics step_of(largest(s, m))
            if (largest(s, m) >= 1e4) { set format y '%.0s %c' }
        }
        if (numeric(s)) { set logscale x }
        least_x = 1e300
        most_x = 0
        do for [c = sheet_first[s]:sheet_last[s]] { do for [i = curve_first[c]:curve_last[c]] {
            least_x = minimum(least_x, place(s, c, i))
            most_x = maximum(most_x, place(s, c, i))
        } }
        span = numeric(s) ? (most_x / least_x) ** 0.06 * 1.05 : 0.3
        x_from = numeric(s) ? least_x / span : least_x - span
        x_to = numeric(s) ? most_x * span : most_x + span
        set xrange [x_from:x_to]
        set xtics ('' x_from)
        boxes = 0
        do for [c = sheet_first[s]:sheet_last[s]] { do for [i = curve_first[c]:curve_last[c]] {
            v = place(s, c, i)
            x = plot_w * (numeric(s) ? log(v / x_from) / log(x_to / x_from) : (v - x_from) / (x_to - x_from))
            w = 3.1 * strlen(tick_text(s, c, i)) + 2
            if (!overlaps(x, 0, w, 5)) {
                unused = put_box(x, 0, w, 5)
                set xtics add (tick_text(s, c, i) v)
            }
        } }
        # The part at its defaults, where that is none of the values.
        do for [c = sheet_first[s]:sheet_last[s]] {
            r = curve_unswept[c]
            if (r && is_number(median[at(m, r)]) && !(sum [i = curve_first[c]:curve_last[c]] (point_row[i] == r))) {
                set arrow from graph 0, first median[at(m, r)] to graph 1, first median[at(m, r)] nohead lw 1 dt 3 lc rgb hue(c)
            }
        }
        plot for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $2)):(of(c, column(3 * m))) with lines lw 1.2 dt dash(c) lc rgb hue(c), \
            for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $2)):(column(3 * m + 1)):(0):(column(3 * m + 2) - column(3 * m + 1)) \
                with vectors nohead lw 0.8 lc rgb hue(c), \
            for [c = sheet_first[s]:sheet_last[s]] $sheet using (of(c, $2)):(column(3 * m)) with points pt shape(c) ps 0.6 lc rgb hue(c)
        unset label
        unset arrow
    } }
}
eval close_page
