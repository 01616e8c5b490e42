// Rectangles of pixels, and those that the holes of a mask lie in.

/// A rectangle of pixels; `bottom` and `right` are the first row and column outside.
public struct Box: Hashable, Sendable {
    public var top: Int
    public var left: Int
    public var bottom: Int
    public var right: Int

    public init(top: Int, left: Int, bottom: Int, right: Int) {
        self.top = top
        self.left = left
        self.bottom = bottom
        self.right = right
    }

    /// Number of rows.
    public var height: Int { bottom - top }

    /// Number of columns.
    public var width: Int { right - left }

    /// Whether the two share a pixel.
    public func overlaps(_ other: Box) -> Bool {
        top < other.bottom && other.top < bottom && left < other.right && other.left < right
    }

    /// The same pixels, counted from the corner of a box round this one.
    func within(_ outer: Box) -> Box {
        Box(
            top: top - outer.top, left: left - outer.left,
            bottom: bottom - outer.top, right: right - outer.left)
    }

    /// The box with that many more rows and columns on each side, within `picture`.
    func withMargins(down: Int, across: Int, in picture: Box) -> Box {
        Box(
            top: max(picture.top, top - down), left: max(picture.left, left - across),
            bottom: min(picture.bottom, bottom + down), right: min(picture.right, right + across))
    }

    /// A box round this one of at least that size, as far as `picture` allows.
    func grown(toHeight height: Int, width: Int, in picture: Box) -> Box {
        let rows = grownSpan(top, bottom, wanted: height, limit: picture.bottom)
        let columns = grownSpan(left, right, wanted: width, limit: picture.right)
        return Box(top: rows.0, left: columns.0, bottom: rows.1, right: columns.1)
    }
}

extension Box: Comparable {
    /// Boxes go from top to bottom, then from left to right.
    public static func < (one: Box, other: Box) -> Bool {
        (one.top, one.left, one.bottom, one.right)
            < (other.top, other.left, other.bottom, other.right)
    }
}

/// Side of the cells in which pieces of a hole count as near each other.
private let cell = 32

/// Tight boxes that hold every hole pixel, no two overlapping, from top to bottom.
///
/// Pieces of a hole in the same or in neighbouring cells of a 32-pixel grid count as one, and so
/// do pieces whose boxes overlap.
public func holeBoxes(_ hole: Hole) -> [Box] {
    var boxes: [Box] = []
    for var box in separateHoles(CellGrid(hole)) {
        while true {
            let hits = boxes.filter { $0.overlaps(box) }
            if hits.isEmpty { break }
            boxes.removeAll { $0.overlaps(box) }
            box = boxRound([box] + hits)
        }
        boxes.append(box)
    }
    return boxes.sorted()
}

/// The smallest box that holds all of them; there must be one.
func boxRound(_ boxes: [Box]) -> Box {
    boxes.dropFirst().reduce(boxes[0]) { round, box in
        Box(
            top: min(round.top, box.top), left: min(round.left, box.left),
            bottom: max(round.bottom, box.bottom), right: max(round.right, box.right))
    }
}

/// The tight boxes on both sides of the known row or column nearest to the middle.
///
/// - Parameter box: Tight round hole pixels.
/// - Returns: Two boxes; none where every row and column of the box has a hole pixel.
func halves(_ box: Box, _ hole: Hole) -> [Box] {
    let (rows, columns) = filledLines(box, hole)
    let byLength = box.height >= box.width ? [true, false] : [false, true]
    for isRow in byLength {
        let filled = isRow ? rows : columns
        let middle = filled.count / 2
        let known = filled.indices.filter { !filled[$0] }
        guard let at = known.min(by: { abs($0 - middle) < abs($1 - middle) }) else { continue }
        var (before, after) = (box, box)
        if isRow {
            before.bottom = box.top + at
            after.top = box.top + at
        } else {
            before.right = box.left + at
            after.left = box.left + at
        }
        return [tight(before, hole), tight(after, hole)]
    }
    return []
}

private func tight(_ box: Box, _ hole: Hole) -> Box {
    let (rows, columns) = filledLines(box, hole)
    return Box(
        top: box.top + rows.firstIndex(of: true)!,
        left: box.left + columns.firstIndex(of: true)!,
        bottom: box.top + rows.lastIndex(of: true)! + 1,
        right: box.left + columns.lastIndex(of: true)! + 1)
}

private func filledLines(_ box: Box, _ hole: Hole) -> (rows: [Bool], columns: [Bool]) {
    var rows = [Bool](repeating: false, count: box.height)
    var columns = [Bool](repeating: false, count: box.width)
    for row in 0..<box.height {
        let start = (box.top + row) * hole.width + box.left
        for column in 0..<box.width where hole.flags[start + column] {
            rows[row] = true
            columns[column] = true
        }
    }
    return (rows, columns)
}

/// The tight boxes of the hole pixels in each cell of the grid; nil where there are none.
private struct CellGrid {
    let rows: Int
    let columns: Int
    var boxes: [Box?]

    init(_ hole: Hole) {
        rows = roundedUp(hole.height, to: cell) / cell
        columns = roundedUp(hole.width, to: cell) / cell
        boxes = [Box?](repeating: nil, count: rows * columns)
        hole.flags.withUnsafeBufferPointer { flags in
            for row in 0..<hole.height {
                let line = UnsafeBufferPointer(
                    rebasing: flags[row * hole.width..<(row + 1) * hole.width])
                if line.contains(true) { add(line, row) }
            }
        }
    }

    private mutating func add(_ line: UnsafeBufferPointer<Bool>, _ row: Int) {
        for column in 0..<columns {
            let inside = line[column * cell..<min(line.count, (column + 1) * cell)]
            guard let first = inside.firstIndex(of: true) else { continue }
            let last = inside.lastIndex(of: true)!
            let found = Box(top: row, left: first, bottom: row + 1, right: last + 1)
            let at = row / cell * columns + column
            boxes[at] = boxes[at].map { boxRound([$0, found]) } ?? found
        }
    }
}

private func separateHoles(_ grid: CellGrid) -> [Box] {
    var left = grid.boxes
    var holes: [Box] = []
    for start in left.indices {
        guard let first = left[start] else { continue }
        left[start] = nil
        var (found, frontier) = ([first], [start])
        while let at = frontier.popLast() {
            let (row, column) = (at / grid.columns, at % grid.columns)
            for i in max(0, row - 1)...min(grid.rows - 1, row + 1) {
                for j in max(0, column - 1)...min(grid.columns - 1, column + 1) {
                    let near = i * grid.columns + j
                    guard let box = left[near] else { continue }
                    left[near] = nil
                    found.append(box)
                    frontier.append(near)
                }
            }
        }
        holes.append(boxRound(found))
    }
    return holes
}

private func grownSpan(_ start: Int, _ stop: Int, wanted: Int, limit: Int) -> (Int, Int) {
    let extent = min(limit, max(wanted, stop - start))
    let first = min(max(0, start - (extent - (stop - start)) / 2), limit - extent)
    return (first, first + extent)
}
