-- For `heapmark exec --suite programs`: binary trees that come and go, one that stays, and strings that
-- are made, cut up and put together. Prints one line that is the same in each run.

local function grow(depth)
  if depth == 0 then
    return { false, false }
  end
  return { grow(depth - 1), grow(depth - 1) }
end

local function count(tree)
  return tree[1] and 1 + count(tree[1]) + count(tree[2]) or 1
end

local kept = grow(14)
local nodes = 0
for depth = 4, 12, 2 do
  for _ = 1, 2 ^ (15 - depth) do
    nodes = nodes + count(grow(depth))
  end
end

local words = {}
local seed = 12345
for i = 1, 150000 do
  seed = (seed * 1103515245 + 12345) % 2147483648
  words[seed % 5000] = ("word-%d-%s"):format(seed, ("x"):rep(seed % 60))
  if i % 2000 == 0 then
    local parts = {}
    for _, word in pairs(words) do
      parts[#parts + 1] = word:sub(6):upper()
    end
    nodes = nodes + #table.concat(parts, " ") % 7
  end
end

print(nodes, count(kept))
