/** Pictures on buttons; what a button does is in its words. */

const PATHS = {
  brush: "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 1 2.5-2.5M12 13.5 19.5 4.6a1.4 1.4 0 0 1 2 2L13.5 15",
  eraser: "m13 5 6 6-8 8H7l-3-3a1.5 1.5 0 0 1 0-2zM9 9l6 6M11 19h9",
  move: "M12 3v18M3 12h18M12 3 9.5 5.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
  undo: "M8 5 4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11H9",
  redo: "m16 5 4 4-4 4M20 9H10a5.5 5.5 0 0 0 0 11h5",
  nearer: "M12 5v14M5 12h14",
  farther: "M5 12h14",
  whole: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  compare: "M12 3v18M9.5 6H4v12h5.5M14.5 6H20v12h-5.5",
  erase: "m6 18 9-9M13.5 7.5l3 3M18 3v4M16 5h4M7 4v3M5.5 5.5h3M19 14v3M17.5 15.5h3",
  open: "M4 17V6h5l2 2.5h9V17a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2z",
  save: "M12 4v11M7.5 10.5 12 15l4.5-4.5M5 19.5h14",
  stop: "M7 7h10v10H7z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" class="icon">
      <path d={PATHS[name]} />
    </svg>
  );
}
