/// <reference types="vite/client" />

/** Of the package, see vite.config.ts. */
declare const __VERSION__: string;
