-- A program for a recording: trees of tables that live for a while, and a table of words built from strings.
local function tree(depth)
    if depth == 0 then return {} end
    return {tree(depth - 1), tree(depth - 1)}
end
local function count(t)
    return t[1] and 1 + count(t[1]) + count(t[2]) or 1
end

local kept = tree(13)
local sum = 0
for depth = 4, 12, 2 do
    for _ = 1, 2 ^ (13 - depth) do
        sum = sum + count(tree(depth))
    end
end

local words, seed = {}, 42
for i = 1, 40000 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    local word = string.format("%x", seed // 65536 % 3000)
    words[word] = (words[word] or "") .. string.char(97 + i % 26)
end
local parts = {}
for word, text in pairs(words) do
    parts[#parts + 1] = word .. "=" .. #text
end
table.sort(parts)
print(sum, count(kept), #table.concat(parts, ","))
