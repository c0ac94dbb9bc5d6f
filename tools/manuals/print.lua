-- SPDX-License-Identifier: Apache-2.0
--
-- What a page of paper needs and a page of Markdown does not. A link to another file of the project leads nowhere in a
-- PDF, so the file is named instead; a link to another manual leads to its PDF beside this one.

local manuals = {}

local function read_names(meta)
  for name in pandoc.utils.stringify(meta.manuals or ''):gmatch('%S+') do
    manuals[name] = true
  end
end

-- The file that a link of docs/manuals/ aims at, from the top of the project: docs/operations.md
local function from_top(target)
  local parts = {'docs', 'manuals'}
  for part in target:gsub('#.*', ''):gmatch('[^/]+') do
    if part == '..' then
      parts[#parts] = nil
    elseif part ~= '.' then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, '/')
end

local function print_link(link)
  local target = link.target
  if target:match('^%a+:') or target:match('^#') then
    return nil
  end
  local name = target:match('^([%w-]+)%.md')
  if name and manuals[name] then
    link.target = name .. '.pdf'
    return link
  end
  local path = from_top(target)
  local words = pandoc.utils.stringify(link.content):gsub('/$', '')
  if words == path or path:sub(-#words - 1) == '/' .. words then
    return pandoc.Code(path)
  end
  local file = path:match('[^/]*$')
  if file:sub(1, #words + 1) == words .. '-' then -- a decision by its number
    return pandoc.Code(file)
  end
  local printed = pandoc.Inlines(link.content)
  printed:extend({pandoc.Str(' ('), pandoc.Code(path), pandoc.Str(')')})
  return printed
end

-- A picture alone in its paragraph gets its words as a caption.
local function print_paragraph(paragraph)
  local image = paragraph.content[1]
  if #paragraph.content == 1 and image.t == 'Image' and #image.caption > 0 then
    return pandoc.Figure({pandoc.Plain({image})}, {pandoc.Plain(image.caption)})
  end
end

-- An option is not broken after its hyphens.
local function print_words(code)
  if code.text:match('^%-%-?[%w-]+$') then
    code.classes:insert('whole')
    return code
  end
end

-- Each line of code is a block of its own, so that what is too long for the page goes on indented.
local SHORT = 40                 -- lines; so much is not parted by the end of a page
local WIDE, TOO_WIDE = 104, 124  -- characters; lines between the two fit in smaller print

local function print_code(block)
  local lines, longest = {}, 0
  for line in (block.text .. '\n'):gmatch('(.-)\n') do
    local escaped = line:gsub('[&<>]', {['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;'})
    lines[#lines + 1] = '<span>' .. escaped .. '</span>'
    longest = math.max(longest, utf8.len(line))
  end
  local class = (#lines <= SHORT and 'whole ' or '') .. (longest > WIDE and longest <= TOO_WIDE and 'small' or '')
  return pandoc.RawBlock('html', '<pre class="' .. class .. '">' .. table.concat(lines) .. '</pre>')
end

-- Widths of columns, in points. None is narrower than its longest word, as far as that goes; what is left over goes to
-- those that have more to say.
local TEXT, LETTER, PADDING, WORD_MAX, CELL_MAX = 482, 4.4, 11, 24, 110

local PICTURE = pandoc.Str(('x'):rep(WORD_MAX)) -- pictures side by side get columns of one width

local function measure(rows, longest, whole)
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row.cells) do
      local text = pandoc.utils.stringify(cell.contents:walk({Image = function() return PICTURE end}))
      whole[i] = math.max(whole[i] or 0, math.min(utf8.len(text), CELL_MAX) * LETTER + PADDING)
      for word in text:gmatch('[^%s/]+') do
        longest[i] = math.max(longest[i] or 0, math.min(utf8.len(word), WORD_MAX) * LETTER + PADDING)
      end
    end
  end
end

-- A name that is longer than that is best broken at one of its joints.
local function break_names(code)
  local text = code.text
  if #text > WORD_MAX and not text:find('[%s/]') and text:find('_') then
    local joint = text:sub(1, WORD_MAX):match('^.*()_')
    if joint then
      return {pandoc.Code(text:sub(1, joint)), pandoc.RawInline('html', '<wbr>'), pandoc.Code(text:sub(joint + 1))}
    end
  end
end

local function set_widths(grid)
  local longest, whole, needed, wanted = {}, {}, 0, 0
  measure(grid.head.rows, longest, whole)
  for _, body in ipairs(grid.bodies) do
    measure(body.body, longest, whole)
  end
  for i = 1, #grid.colspecs do
    longest[i], whole[i] = longest[i] or PADDING, whole[i] or PADDING
    needed, wanted = needed + longest[i], wanted + whole[i] + 1
  end
  local spare, more = math.max(0, TEXT - needed), wanted - needed
  for i, spec in ipairs(grid.colspecs) do
    spec[2] = (longest[i] + spare * (whole[i] + 1 - longest[i]) / more) / (needed + spare)
    grid.colspecs[i] = spec
  end
  grid.classes:insert('columns-' .. #grid.colspecs) -- style.css prints those with many smaller
  return grid:walk({Code = break_names})
end

return {
  {Meta = read_names},
  {Link = print_link, Para = print_paragraph, Code = print_words, CodeBlock = print_code},
  {Table = set_widths},
}
