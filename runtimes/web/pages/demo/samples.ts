/** Pictures to try the page with, in the public domain; their sources are in docs/how-to/web.md. */

export interface Sample {
  readonly name: string;
  /** For whoever does not see it. */
  readonly shows: string;
  readonly url: string;
}

export const SAMPLES: readonly Sample[] = [
  {
    name: "rocket.jpg",
    shows: "A rocket between lattice masts in the evening",
    url: new URL("./samples/rocket.jpg", import.meta.url).href,
  },
  {
    name: "coffee.jpg",
    shows: "A cup of coffee and a spoon on a red saucer",
    url: new URL("./samples/coffee.jpg", import.meta.url).href,
  },
];
