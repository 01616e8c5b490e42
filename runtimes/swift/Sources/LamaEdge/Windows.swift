// The windows of a picture that a model shall see, so that every hole of a mask is filled.

/// What the model sees of a picture, and what of that it fills.
public struct Window: Hashable, Sendable {
    /// The rectangle that the model sees; hole pixels anywhere in it are hole to the model.
    public let view: Box
    /// The rectangle inside `view` whose hole pixels are filled from it.
    public let hole: Box

    public init(view: Box, hole: Box) {
        self.view = view
        self.hole = hole
    }
}

extension Window: Comparable {
    /// Windows go from top to bottom, then from left to right.
    public static func < (one: Window, other: Window) -> Bool {
        (one.view, one.hole) < (other.view, other.hole)
    }
}

/// More than any picture's.
private let anySide = 1 << 30

/// How large a window may be, and what the model makes of it.
public struct Working: Hashable, Sendable {
    /// The sizes that the model takes.
    public let policy: SizePolicy
    /// Largest side of what a dynamic model is given, in pixels, if that is less than its own; nil
    /// is any. A fixed-size model's own size takes its place.
    public let maxSide: Int?

    public init(policy: SizePolicy, maxSide: Int? = nil) {
        self.policy = policy
        self.maxSide = maxSide
    }

    /// Largest height and width that are given to the model unshrunk.
    public var limits: Size {
        let side = min(maxSide ?? anySide, policy.maxSide ?? anySide, anySide)
        return policy.fixed ?? Size(height: side, width: side)
    }

    /// By how much a window is shrunk for the model; 1 when it is not.
    public func shrinkage(height: Int, width: Int) -> Double {
        max(1, Double(height) / Double(limits.height), Double(width) / Double(limits.width))
    }

    /// The size of what is left of a window, before padding: the largest one of the same aspect
    /// ratio that fits. It never grows.
    public func shrunk(height: Int, width: Int) -> Size {
        let scale = min(
            1, Double(limits.height) / Double(height), Double(limits.width) / Double(width))
        func side(_ whole: Int, _ limit: Int) -> Int {
            max(1, min(limit, Int((Double(whole) * scale).rounded(.toNearestOrEven))))
        }
        return Size(height: side(height, limits.height), width: side(width, limits.width))
    }

    /// The size of what the model is given, padding included.
    public func seen(height: Int, width: Int) -> Size {
        if let fixed = policy.fixed { return fixed }
        let small = shrunk(height: height, width: width)
        return Size(height: policy.side(for: small.height), width: policy.side(for: small.width))
    }

    /// The number of pixels that the model is given for a window.
    public func pixels(height: Int, width: Int) -> Int {
        let size = seen(height: height, width: width)
        return size.height * size.width
    }

    func shrinkage(_ window: Window) -> Double {
        shrinkage(height: window.view.height, width: window.view.width)
    }

    func pixels(_ window: Window) -> Int {
        pixels(height: window.view.height, width: window.view.width)
    }
}

/// The good and the least margin round a hole's box, in pixels.
///
/// With s, the root of the box's area: 64 + s/3, and 32 + s/4 for windows that would else be
/// shrunk. How these were measured is in docs/how-to/inpainting.md.
func context(height: Int, width: Int) -> (good: Int, least: Int) {
    let meanSide = integerRoot(height * width)
    return (64 + meanSide / 3, 32 + meanSide / 4)
}

/// The windows to fill a picture's holes from.
///
/// Each of ``holeBoxes(_:)`` that would be shrunk is first cut where a whole row or column of it is
/// known. A window is such a box with the margin of `context(height:width:)` on each side where
/// the picture has it, less of it where the window would else be shrunk. Two are replaced by one
/// round both where that costs the model fewer pixels and shrinks neither more, or where the hole
/// of one reaches into the other's. Last, a window grows into the picture where the model would be
/// given padding.
///
/// Every hole pixel is in the `hole` of exactly one window. Windows may overlap, and see holes that
/// others fill: as holes, not as filled, so that no result depends on their order.
///
/// - Returns: From top to bottom; none when there is no hole.
public func holeWindows(_ hole: Hole, working: Working) -> [Window] {
    let picture = Box(top: 0, left: 0, bottom: hole.height, right: hole.width)
    var windows: [Window] = []
    for box in holeBoxes(hole).flatMap({ cut($0, hole, working) }) {
        var (window, kept) = absorbed(contextWindow(round: box, in: picture, working), windows)
        while let (joined, left) = bestJoin(window, kept, working) {
            (window, kept) = (joined, left)
        }
        windows = kept + [window]
    }
    return windows.map { Window(view: filledUp($0.view, picture, working), hole: $0.hole) }.sorted()
}

/// The one window that sees and fills everything; none when there is no hole.
public func wholePicture(_ hole: Hole) -> [Window] {
    let picture = Box(top: 0, left: 0, bottom: hole.height, right: hole.width)
    return hole.isEmpty ? [] : [Window(view: picture, hole: picture)]
}

/// Cuts a box along known rows and columns until its parts need no shrinking.
private func cut(_ box: Box, _ hole: Hole, _ working: Working) -> [Box] {
    let picture = Box(top: 0, left: 0, bottom: hole.height, right: hole.width)
    var done: [Box] = []
    var left = [box]
    while let box = left.popLast() {
        let fits = working.shrinkage(contextWindow(round: box, in: picture, working)) <= 1
        let parts = fits ? [] : halves(box, hole)
        left += parts
        if parts.isEmpty { done.append(box) }
    }
    return done.sorted()
}

private func contextWindow(round box: Box, in picture: Box, _ working: Working) -> Window {
    let margin = context(height: box.height, width: box.width)
    let shrinkage = working.shrinkage(
        height: min(box.height + 2 * margin.least, picture.height),
        width: min(box.width + 2 * margin.least, picture.width))
    func room(_ limit: Int, _ side: Int) -> Int {
        let spare = Int(Double(limit) * shrinkage - Double(side)) / 2
        return min(margin.good, max(margin.least, spare))
    }
    let view = box.withMargins(
        down: room(working.limits.height, box.height),
        across: room(working.limits.width, box.width), in: picture)
    return Window(view: view, hole: box)
}

/// The view with real pixels where the model would be given padding.
private func filledUp(_ view: Box, _ picture: Box, _ working: Working) -> Box {
    let shrinkage = working.shrinkage(height: view.height, width: view.width)
    let seen = working.seen(height: view.height, width: view.width)
    return view.grown(
        toHeight: Int(Double(seen.height) * shrinkage),
        width: Int(Double(seen.width) * shrinkage), in: picture)
}

/// The join that saves the model most pixels, and the windows that it leaves.
private func bestJoin(
    _ window: Window, _ windows: [Window], _ working: Working
) -> (Window, [Window])? {
    var best: (Window, [Window])?
    var most = 0
    for other in windows {
        if working.policy.fixed == nil && !other.view.overlaps(window.view) { continue }
        let leastShrunk = min(working.shrinkage(window), working.shrinkage(other))
        if working.shrinkage(windowRound([window, other])) > leastShrunk { continue }
        let (joined, kept) = absorbed(windowRound([window, other]), windows)
        if working.shrinkage(joined) > leastShrunk { continue }
        let gone = [window] + windows.filter { !kept.contains($0) }
        let saving = gone.reduce(0) { $0 + working.pixels($1) } - working.pixels(joined)
        if saving > most { (best, most) = ((joined, kept), saving) }
    }
    return best
}

/// The window round it and all whose holes it overlaps, and the other windows.
private func absorbed(_ window: Window, _ windows: [Window]) -> (Window, [Window]) {
    var (window, left) = (window, windows)
    while true {
        let hole = window.hole
        let hits = left.filter { $0.hole.overlaps(hole) }
        if hits.isEmpty { return (window, left) }
        window = windowRound([window] + hits)
        left.removeAll { $0.hole.overlaps(hole) }
    }
}

private func windowRound(_ windows: [Window]) -> Window {
    Window(view: boxRound(windows.map(\.view)), hole: boxRound(windows.map(\.hole)))
}

func integerRoot(_ number: Int) -> Int {
    var root = Int(Double(number).squareRoot())
    while root * root > number { root -= 1 }
    while (root + 1) * (root + 1) <= number { root += 1 }
    return root
}
