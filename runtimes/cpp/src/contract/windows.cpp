#include "windows.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "rows.hpp"

namespace lama_edge {
namespace {

// The good and the least margin round a hole's box, in pixels; how they were measured is in
// docs/how-to/inpainting.md.
struct Margins {
    int good;
    int least;

    explicit Margins(const Box& box) {
        const auto mean_side =
            static_cast<int>(integer_root(std::int64_t{box.height()} * box.width()));
        good = 64 + mean_side / 3;
        least = 32 + mean_side / 4;
    }
};

double shrinkage(const Working& working, const Window& window) {
    return working.shrinkage(window.view.size());
}

std::int64_t pixels(const Working& working, const Window& window) {
    return working.pixels(window.view.size());
}

Window context_window(const Box& box, const Box& picture, const Working& working) {
    const Margins margins(box);
    const Size limits = working.limits();
    const double shrinkage = working.shrinkage(
        {std::min(box.height() + 2 * margins.least, picture.height()),
         std::min(box.width() + 2 * margins.least, picture.width())});
    const auto room = [&](int limit, int side) {
        const std::int64_t spare = static_cast<std::int64_t>(limit * shrinkage - side) / 2;
        return static_cast<int>(
            std::min<std::int64_t>(margins.good, std::max<std::int64_t>(margins.least, spare)));
    };
    const int down = room(limits.height, box.height());
    const int across = room(limits.width, box.width());
    return {box.with_margins(down, across, picture), box};
}

// Cuts a box along known rows and columns until its parts need no shrinking.
std::vector<Box> cut(const Box& whole, const Hole& hole, const Working& working) {
    const Box picture = Box::of(hole.size());
    std::vector<Box> done;
    std::vector<Box> left{whole};
    while (!left.empty()) {
        const Box box = left.back();
        left.pop_back();
        const bool fits = shrinkage(working, context_window(box, picture, working)) <= 1;
        const std::vector<Box> parts = fits ? std::vector<Box>() : halves(box, hole);
        left.insert(left.end(), parts.begin(), parts.end());
        if (parts.empty()) {
            done.push_back(box);
        }
    }
    std::sort(done.begin(), done.end());
    return done;
}

Window window_round(const Window& one, const Window& other) {
    return {box_round(one.view, other.view), box_round(one.hole, other.hole)};
}

// A new window, and the older ones that it leaves.
struct Absorbed {
    Window window;
    std::vector<Window> kept;
};

// The window round it and all whose holes it overlaps, and the other windows.
Absorbed absorbed(Window window, std::vector<Window> windows) {
    while (true) {
        const auto hits = std::stable_partition(
            windows.begin(), windows.end(),
            [&window](const Window& other) { return !other.hole.overlaps(window.hole); });
        if (hits == windows.end()) {
            return {window, std::move(windows)};
        }
        for (auto hit = hits; hit != windows.end(); ++hit) {
            window = window_round(window, *hit);
        }
        windows.erase(hits, windows.end());
    }
}

// How many pixels fewer the model sees.
std::int64_t saving(
    const Absorbed& join, const Window& window, const std::vector<Window>& windows,
    const Working& working) {
    std::int64_t before = pixels(working, window);
    std::int64_t after = pixels(working, join.window);
    for (const Window& one : windows) {
        before += pixels(working, one);
    }
    for (const Window& one : join.kept) {
        after += pixels(working, one);
    }
    return before - after;
}

// The join that saves the model most pixels; none where none does.
std::optional<Absorbed> best_join(
    const Window& window, const std::vector<Window>& windows, const Working& working) {
    std::optional<Absorbed> best;
    std::int64_t most = 0;
    for (const Window& other : windows) {
        if (!working.policy.fixed && !other.view.overlaps(window.view)) {
            continue;
        }
        const double least_shrunk = std::min(shrinkage(working, window), shrinkage(working, other));
        const Window both = window_round(window, other);
        if (shrinkage(working, both) > least_shrunk) {
            continue;
        }
        Absorbed join = absorbed(both, windows);
        const std::int64_t saved = saving(join, window, windows, working);
        if (shrinkage(working, join.window) <= least_shrunk && saved > most) {
            most = saved;
            best = std::move(join);
        }
    }
    return best;
}

// The view with real pixels where the model would be given padding.
Box filled_up(const Box& view, const Box& picture, const Working& working) {
    const double shrinkage = working.shrinkage(view.size());
    const Size seen = working.seen(view.size());
    return view.grown_to(
        static_cast<std::int64_t>(seen.height * shrinkage),
        static_cast<std::int64_t>(seen.width * shrinkage), picture);
}

}  // namespace

bool operator==(const Window& one, const Window& other) {
    return one.view == other.view && one.hole == other.hole;
}

bool operator<(const Window& one, const Window& other) {
    return std::tie(one.view, one.hole) < std::tie(other.view, other.hole);
}

Size Working::limits() const {
    if (policy.fixed) {
        return *policy.fixed;
    }
    const int side =
        std::min({max_side.value_or(kAnySide), policy.max_side.value_or(kAnySide), kAnySide});
    return {side, side};
}

double Working::shrinkage(Size window) const {
    const Size most = limits();
    return std::max(
        {1.0, static_cast<double>(window.height) / most.height,
         static_cast<double>(window.width) / most.width});
}

Size Working::shrunk(Size window) const {
    const Size most = limits();
    const double scale = std::min(
        {1.0, static_cast<double>(most.height) / window.height,
         static_cast<double>(most.width) / window.width});
    const auto side = [scale](int whole, int limit) {
        return std::max(1, std::min(limit, static_cast<int>(std::nearbyint(whole * scale))));
    };
    return {side(window.height, most.height), side(window.width, most.width)};
}

Size Working::seen(Size window) const {
    if (policy.fixed) {
        return *policy.fixed;
    }
    const Size small = shrunk(window);
    return {policy.side_for(small.height), policy.side_for(small.width)};
}

std::int64_t Working::pixels(Size window) const {
    const Size size = seen(window);
    return std::int64_t{size.height} * size.width;
}

std::vector<Window> hole_windows(const Hole& hole, const Working& working) {
    const Box picture = Box::of(hole.size());
    std::vector<Window> windows;
    for (const Box& whole : hole_boxes(hole)) {
        for (const Box& box : cut(whole, hole, working)) {
            Absorbed state = absorbed(context_window(box, picture, working), std::move(windows));
            while (auto joined = best_join(state.window, state.kept, working)) {
                state = *std::move(joined);
            }
            windows = std::move(state.kept);
            windows.push_back(state.window);
        }
    }
    for (Window& window : windows) {
        window.view = filled_up(window.view, picture, working);
    }
    std::sort(windows.begin(), windows.end());
    return windows;
}

std::vector<Window> whole_picture(const Hole& hole) {
    const Box picture = Box::of(hole.size());
    return hole.empty() ? std::vector<Window>() : std::vector<Window>{{picture, picture}};
}

std::int64_t integer_root(std::int64_t number) {
    auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(number)));
    while (root * root > number) {
        --root;
    }
    while ((root + 1) * (root + 1) <= number) {
        ++root;
    }
    return root;
}

}  // namespace lama_edge
