# Where in a heap its used bytes are, over the run
# heapmap.csv has one round of each heap that can be walked. An A/A arm has the baseline's map once more.
metric = 'largest_free_run_bytes_peak'
eval read_stats
candidates = sum [r = 1:rows] (is_number(stat_median[r]) && row_kind[r] != AGAIN && row_kind[r] != FLOOR)
if (!candidates) { print 'the run has no heap that can be walked, or it was run without the metric space'; exit status 77 }

# Which rows of the file are a cell's.
array source[rows]
array from[rows]
array to[rows]
do for [r = 1:rows] {
    source[r] = r; from[r] = -1; to[r] = -1
    do for [s = r - 1:1:-1] { if (row_cell[s] eq row_cell[r]) { source[r] = s } }
}
last_cell = ''
last_row = 0
row_of(cell) = cell eq last_cell ? last_row : \
    (last_cell = cell, last_row = sum [r = 1:rows] (source[r] == r && row_cell[r] eq cell ? r : 0))
note_row(r, at) = !r ? 0 : (from[r] = from[r] < 0 ? at : from[r], to[r] = at, 1)
eval from_csv
set table $unused
plot 'heapmap.csv' using (note_row(row_of(strcol('cell')), $0)) with table
unset table
eval from_here
array drawn_row[rows]
array drawn_in[rows]
drawn = 0
# What stands among collectors and among allocators is drawn there.
is_elsewhere(p, r) = panel_on[p] ne '' && (sum [s = 1:rows] (s != r && row_cell[s] eq row_cell[r])) > 0
do for [p = 1:panels] { do for [r = panel_first[p]:panel_last[p]] {
    if (from[source[r]] >= 0 && row_kind[r] != AGAIN && row_kind[r] != FLOOR && !is_elsewhere(p, r)) {
        drawn = drawn + 1; drawn_row[drawn] = r; drawn_in[drawn] = p
    }
} }
if (!drawn) { print 'the run has no map of a heap'; exit status 77 }

# A cell's map: stretches of addresses in the order in which they came, each with its place by address, and
# how much of them is used at each time, in LEVELS steps: 0 is free, -1 not the heap's at that time.
TIMES = 80
PLACES = 64
LEVELS = 8
array offset[PLACES]
array place[PLACES]
array level[TIMES * PLACES]
array box_place[TIMES * PLACES]
array box_from[TIMES * PLACES]
array box_to[TIMES * PLACES]
array box_level[TIMES * PLACES]
find(o) = last < stretches && offset[last + 1] == o ? last + 1 : sum [i = 1:stretches] (offset[i] == o ? i : 0)
add(o) = stretches < PLACES ? (stretches = stretches + 1, offset[stretches] = o, stretches) : PLACES
time_no(t) = t == last_time ? times : (last_time = t, last = 0, times = minimum(TIMES, times + 1))
take(t, o, size, used) = (now = time_no(t), last = find(o), last = last ? last : add(o), length = size, \
    level[(now - 1) * PLACES + last] = ceil(LEVELS * used / size), 1)
# Boxes of one level that goes on for some times: place, begin, end, level.
read_map = "stretches = 0; times = 0; last = 0; last_time = -1; length = 1; \
    do for [i = 1:TIMES * PLACES] { level[i] = -1 }; \
    eval from_csv; set table $unused; \
    plot 'heapmap.csv' every ::from[source[r]]::to[source[r]] \
        using (take(column('t_ns'), column('offset_bytes'), column('size_bytes'), column('used_bytes'))) with table; \
    unset table; eval from_here; \
    do for [i = 1:stretches] { place[i] = sum [k = 1:stretches] (offset[k] < offset[i]) }; \
    boxes = 0; \
    set print $boxes; \
    do for [i = 1:stretches] { \
        since = 1; \
        do for [t = 2:times + 1] { \
            if (t > times || level[(minimum(t, times) - 1) * PLACES + i] != level[(since - 1) * PLACES + i]) { \
                if (level[(since - 1) * PLACES + i] >= 0) { \
                    boxes = boxes + 1; \
                    box_place[boxes] = place[i]; box_from[boxes] = since - 1; box_to[boxes] = t - 1; \
                    box_level[boxes] = level[(since - 1) * PLACES + i]; \
                    print place[i], since - 1, t - 1, box_level[boxes] \
                }; \
                since = t \
            } \
        } \
    }; \
    unset print"
mib = 1048576.0
unit_of(bytes) = bytes < 2 * mib ? 1024.0 : mib
blend(from, to, f) = int(from + (to - from) * f + 0.5)
# From pale to dark, as far as it is used.
shade(l) = l <= 0 ? 0xE9E6DF : blend(0xC6, 0x08, (l - 1.0) / (LEVELS - 1)) * 65536 + \
    blend(0xDB, 0x30, (l - 1.0) / (LEVELS - 1)) * 256 + blend(0xEF, 0x6B, (l - 1.0) / (LEVELS - 1))
headline = 'Where in a heap its used bytes are, over the run'

if (text) {
    LETTERS = 80 # across: more than there are columns
    signs = '.:-=+*%@#'
    do for [d = 1:drawn] {
        r = drawn_row[d]
        eval read_map
        text_h = 20
        title = cut(row_name[r] . ', ' . title_of(drawn_in[d]), 40) . ': ' . (unit_of(length * stretches) == mib ? 'MiB' : 'KiB') . ' by address (. free # used)'
        eval open_text
        set xrange [0:times]
        set yrange [0:length * stretches / unit_of(length * stretches)]
        set format x ''
        set print $letters
        do for [l = 0:LEVELS] { print 'NaN NaN', l }
        letter(t) = ceil(1.0 * t * LETTERS / times - 0.5)
        do for [n = 1:boxes] { do for [k = letter(box_from[n]):letter(box_to[n]) - 1] {
            print (k + 0.5) * times / LETTERS, (box_place[n] + 0.5) * length / unit_of(length * stretches), box_level[n]
        } }
        unset print
        plot for [l = 0:LEVELS] $letters using ($3 == l ? $1 : NaN):2 \
            with points pt signs[l + 1:l + 1] notitle
    }
    exit status 0
}

plot_w = 290
plot_h = 190
indent = 46
panel_w = indent + plot_w
panel_h = 50 + plot_h + 34
# Heaps that do the same work stand side by side.
heaps_in(p) = sum [d = 1:drawn] (drawn_in[d] == p)
most = 1
do for [p = 1:panels] { most = maximum(most, heaps_in(p)) }
columns = minimum(most == 1 ? drawn : most, 3)
array drawn_line[drawn]
array drawn_column[drawn]
lines = 0
do for [d = 1:drawn] {
    begins = d > 1 && most > 1 && drawn_in[d] != drawn_in[maximum(1, d - 1)]
    drawn_column[d] = d == 1 || begins ? 0 : (drawn_column[d - 1] + 1) % columns
    lines = lines + (drawn_column[d] == 0)
    drawn_line[d] = lines - 1
}
page_w = maximum(2 * edge + columns * panel_w + (columns - 1) * 28, 640)
page_h = head_h + 22 + lines * panel_h + foot_h
title = headline
subtitle = 'addresses go up, without what never held anything; across, the work that is done; one round'
eval open_page
x = edge + 6
do for [l = 0:LEVELS] {
    set label (l == 0 ? 'free' : l == LEVELS ? 'all used' : '') at screen X(x), Y(66) left offset 1.2, -0.1 point pt 5 ps 1.3 \
        lc rgb shade(l) tc rgb ink noenhanced
    x = x + (l == 0 ? 62 : 15)
}
set label 'white: not the heap''s at that time' at screen X(x + 70), Y(66) left offset 0, -0.1 tc rgb grey noenhanced
eval show_labels
do for [d = 1:drawn] {
    r = drawn_row[d]
    eval read_map
    left = edge + drawn_column[d] * (panel_w + 28) + indent
    top = head_h + 22 + drawn_line[d] * panel_h + 50
    unit = unit_of(length * stretches)
    heading = row_name[r]
    remark = cut(title_of(drawn_in[d]), 44) . '; ' . (unit == mib ? 'MiB' : 'KiB')
    eval open_panel
    unset grid
    set xrange [0:100]
    set format x '%g %%'
    set yrange [0:stretches * length / unit]
    set style fill solid 1 noborder
    at(t) = 100.0 * t / times
    plot $boxes using (at($2)):($1 * length / unit):(at($2)):(at($3)):($1 * length / unit):(($1 + 1) * length / unit):(shade($4)) \
        with boxxyerror lc rgb variable
    unset label
}
eval close_page
