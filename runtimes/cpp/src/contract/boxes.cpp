#include "boxes.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>

#include "contract.hpp"
#include "hole.hpp"
#include "rows.hpp"

namespace lama_edge {
namespace {

// Side of the cells in which pieces of a hole count as near each other.
constexpr int kCell = 32;

struct Span {
    int start;
    int stop;
};

Span grown_span(Span span, std::int64_t wanted, int limit) {
    const int length = span.stop - span.start;
    const int extent =
        static_cast<int>(std::min<std::int64_t>(limit, std::max<std::int64_t>(wanted, length)));
    const int first = std::min(std::max(0, span.start - (extent - length) / 2), limit - extent);
    return {first, first + extent};
}

// The tight boxes of the hole pixels in each cell of the grid; none where there are none.
struct CellGrid {
    int rows;
    int columns;
    std::vector<std::optional<Box>> boxes;

    explicit CellGrid(const Hole& hole)
        : rows(rounded_up(hole.height(), kCell) / kCell),
          columns(rounded_up(hole.width(), kCell) / kCell),
          boxes(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns)) {
        for (int row = 0; row < hole.height(); ++row) {
            add(hole.row(row), row, hole.width());
        }
    }

    std::optional<Box>& at(int row, int column) {
        return boxes
            [static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
             static_cast<std::size_t>(column)];
    }

   private:
    void add(const std::uint8_t* line, int row, int width) {
        int first = next_flag(line, 0, width);
        while (first < width) {
            const int column = first / kCell;
            const int stop = std::min(width - column * kCell, kCell) + column * kCell;
            int last = stop - 1;
            while (!line[last]) {
                --last;
            }
            const Box found{row, first, row + 1, last + 1};
            std::optional<Box>& box = at(row / kCell, column);
            box = box ? box_round(*box, found) : found;
            first = next_flag(line, stop, width);
        }
    }
};

struct Cell {
    int row;
    int column;
};

// The box round a cell's and all those that it is near to, which are taken out of the grid.
Box taken(CellGrid& grid, Cell start) {
    Box found = *grid.at(start.row, start.column);
    grid.at(start.row, start.column).reset();
    std::vector<Cell> frontier{start};
    while (!frontier.empty()) {
        const Cell cell = frontier.back();
        frontier.pop_back();
        const int last_row = std::min(grid.rows - 1, cell.row + 1);
        const int last_column = std::min(grid.columns - 1, cell.column + 1);
        for (int i = std::max(0, cell.row - 1); i <= last_row; ++i) {
            for (int j = std::max(0, cell.column - 1); j <= last_column; ++j) {
                std::optional<Box>& near = grid.at(i, j);
                if (near) {
                    found = box_round(found, *near);
                    near.reset();
                    frontier.push_back({i, j});
                }
            }
        }
    }
    return found;
}

std::vector<Box> separate_holes(CellGrid grid) {
    std::vector<Box> holes;
    for (int row = 0; row < grid.rows; ++row) {
        for (int column = 0; column < grid.columns; ++column) {
            if (grid.at(row, column)) {
                holes.push_back(taken(grid, {row, column}));
            }
        }
    }
    return holes;
}

// Which rows and columns of a box have a hole pixel.
struct FilledLines {
    std::vector<std::uint8_t> rows;
    std::vector<std::uint8_t> columns;

    FilledLines(const Box& box, const Hole& hole) {
        columns.resize(static_cast<std::size_t>(box.width()));
        for (int row = box.top; row < box.bottom; ++row) {
            const std::uint8_t* line = hole.row(row) + box.left;
            std::uint8_t any = 0;
            for (std::size_t column = 0; column < columns.size(); ++column) {
                columns[column] = static_cast<std::uint8_t>(columns[column] | line[column]);
                any = static_cast<std::uint8_t>(any | line[column]);
            }
            rows.push_back(any);
        }
    }
};

Span span_of(const std::vector<std::uint8_t>& filled) {
    const auto first = std::find(filled.begin(), filled.end(), 1);
    const auto last = std::find(filled.rbegin(), filled.rend(), 1);
    return {static_cast<int>(first - filled.begin()), static_cast<int>(filled.rend() - last)};
}

Box tight(const Box& box, const Hole& hole) {
    const FilledLines filled(box, hole);
    const Span rows = span_of(filled.rows);
    const Span columns = span_of(filled.columns);
    return {
        box.top + rows.start, box.left + columns.start, box.top + rows.stop,
        box.left + columns.stop};
}

// The known line nearest to the middle, of two the first; none where all are filled.
std::optional<int> known_line(const std::vector<std::uint8_t>& filled) {
    const int count = static_cast<int>(filled.size());
    const int middle = count / 2;
    for (int distance = 0; distance <= middle; ++distance) {
        for (const int at : {middle - distance, middle + distance}) {
            if (at < count && !filled[static_cast<std::size_t>(at)]) {
                return at;
            }
        }
    }
    return {};
}

}  // namespace

bool Box::overlaps(const Box& other) const {
    return top < other.bottom && other.top < bottom && left < other.right && other.left < right;
}

Box Box::with_margins(int down, int across, const Box& picture) const {
    return {
        std::max(picture.top, top - down), std::max(picture.left, left - across),
        std::min(picture.bottom, bottom + down), std::min(picture.right, right + across)};
}

Box Box::grown_to(std::int64_t height, std::int64_t width, const Box& picture) const {
    const Span rows = grown_span({top, bottom}, height, picture.bottom);
    const Span columns = grown_span({left, right}, width, picture.right);
    return {rows.start, columns.start, rows.stop, columns.stop};
}

bool operator==(const Box& one, const Box& other) {
    return std::tie(one.top, one.left, one.bottom, one.right) ==
           std::tie(other.top, other.left, other.bottom, other.right);
}

bool operator<(const Box& one, const Box& other) {
    return std::tie(one.top, one.left, one.bottom, one.right) <
           std::tie(other.top, other.left, other.bottom, other.right);
}

std::vector<Box> hole_boxes(const Hole& hole) {
    std::vector<Box> boxes;
    for (Box box : separate_holes(CellGrid(hole))) {
        for (bool grew = true; grew;) {
            const auto apart = std::stable_partition(
                boxes.begin(), boxes.end(),
                [&box](const Box& other) { return !other.overlaps(box); });
            grew = apart != boxes.end();
            for (auto hit = apart; hit != boxes.end(); ++hit) {
                box = box_round(box, *hit);
            }
            boxes.erase(apart, boxes.end());
        }
        boxes.push_back(box);
    }
    std::sort(boxes.begin(), boxes.end());
    return boxes;
}

Box box_round(const Box& one, const Box& other) {
    return {
        std::min(one.top, other.top), std::min(one.left, other.left),
        std::max(one.bottom, other.bottom), std::max(one.right, other.right)};
}

std::vector<Box> halves(const Box& box, const Hole& hole) {
    const FilledLines filled(box, hole);
    const bool rows_first = box.height() >= box.width();
    for (const bool is_row : {rows_first, !rows_first}) {
        const std::optional<int> at = known_line(is_row ? filled.rows : filled.columns);
        if (!at) {
            continue;
        }
        Box before = box;
        Box after = box;
        if (is_row) {
            before.bottom = after.top = box.top + *at;
        } else {
            before.right = after.left = box.left + *at;
        }
        return {tight(before, hole), tight(after, hole)};
    }
    return {};
}

}  // namespace lama_edge
