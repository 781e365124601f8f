# For `heapmark exec --suite programs`: a surface, and curves of many points, drawn as SVG.
set terminal svg size 900, 600
set samples 4000
set output 'curves.svg'
plot for [k = 1:24] sin(k * x) * exp(-0.05 * k * abs(x)) with lines title sprintf('wave %d', k)
set output 'surface.svg'
set isosamples 90
set samples 90
set pm3d
splot sin(sqrt(x**2 + y**2)) / (sqrt(x**2 + y**2) + 0.1) with pm3d
array A[2000]
do for [i = 1:2000] { A[i] = sprintf('%d:%.9f:%s', i, sqrt(i), sprintf('%x', 7919 * i)) }
text = ''
do for [i = 1:2000] { text = substr(text . A[i], 1, 400) }
print strlen(text)
