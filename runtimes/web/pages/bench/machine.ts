/** What a browser tells of the device that it runs on, and nothing about whose it is. */

import type { Sensors } from "./protocol.js";

export interface Environment {
  device: string | null;
  /** What computes; browsers name the graphics processor at best. */
  chip: string;
  cores: number;
  /** Rounded by the browser, and at most what it likes to tell. */
  memory_bytes: number | null;
  os: string;
  machine: string;
  browser: { name: string; version: string; isolated: boolean };
  gpu: { vendor: string; architecture: string; description: string; shader_f16: boolean } | null;
}

interface HighEntropyValues {
  architecture?: string;
  bitness?: string;
  model?: string;
  platform?: string;
  platformVersion?: string;
  fullVersionList?: { brand: string; version: string }[];
}
interface Battery {
  level: number;
  charging: boolean;
  chargingTime: number;
}
/** What not every browser has, and TypeScript does not know. */
type Told = Navigator & {
  deviceMemory?: number;
  userAgentData?: {
    getHighEntropyValues(names: string[]): Promise<HighEntropyValues>;
  };
  getBattery?(): Promise<Battery>;
};
const told = (): Told => navigator as Told;
const UNKNOWN = "unknown";

export async function environment(): Promise<Environment> {
  const [values, gpu] = await Promise.all([highEntropyValues(), graphics()]);
  const agent = navigator.userAgent;
  const memory = told().deviceMemory;
  return {
    device: values.model || /\((iPhone|iPad|Macintosh)/.exec(agent)?.[1] || null,
    chip: graphicsName(gpu) || UNKNOWN,
    cores: Math.max(1, navigator.hardwareConcurrency || 1),
    memory_bytes: memory === undefined ? null : memory * 2 ** 30,
    os: operatingSystem(values, agent),
    machine: machine(values, agent),
    browser: { ...browser(values, agent), isolated: globalThis.crossOriginIsolated === true },
    gpu,
  };
}

/** What WebGPU calls the graphics processor; empty where it tells nothing. */
export function graphicsName(gpu: Environment["gpu"]): string {
  return gpu ? gpu.description || `${gpu.vendor} ${gpu.architecture}`.trim() : "";
}

/** The battery's charge; null where there is none, or it may be that of a desk's machine. */
export async function sensors(): Promise<Sensors> {
  return {
    clock_mhz: null,
    temperature_c: null,
    throttled: null,
    power_w: null,
    power_mode: null,
    governor: null,
    clocks_pinned: null,
    battery: await battery(),
  };
}

async function battery(): Promise<Sensors["battery"]> {
  const found = await told()
    .getBattery?.()
    .catch(() => undefined);
  // Machines without a battery say that they are full and charging.
  if (found === undefined || (found.charging && found.level === 1)) return null;
  return { percent: 100 * found.level, status: found.charging ? "Charging" : "Discharging" };
}

async function graphics(): Promise<Environment["gpu"]> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return null;
  const { vendor, architecture, description } = adapter.info;
  return { vendor, architecture, description, shader_f16: adapter.features.has("shader-f16") };
}

async function highEntropyValues(): Promise<HighEntropyValues> {
  const names = ["architecture", "bitness", "model", "platformVersion", "fullVersionList"];
  const found = await told()
    .userAgentData?.getHighEntropyValues(names)
    .catch(() => undefined);
  return found ?? {};
}

/** Names a browser, by its brands or else by what it says to servers. */
export function browser(
  values: HighEntropyValues,
  agent: string,
): { name: string; version: string } {
  // One brand is made up, and one is what the others are made of.
  const brands = (values.fullVersionList ?? []).filter(({ brand }) => !/not.*brand/i.test(brand));
  const brand = brands.find((one) => one.brand !== "Chromium") ?? brands[0];
  if (brand !== undefined) return { name: brand.brand, version: brand.version };
  const known = [
    ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
    ["Edge", /Edg(?:A|iOS)?\/([\d.]+)/],
    ["Chrome", /(?:HeadlessChrome|Chrome|CriOS)\/([\d.]+)/],
    ["Safari", /Version\/([\d.]+).*Safari/],
  ] as const;
  for (const [name, pattern] of known) {
    const version = pattern.exec(agent)?.[1];
    if (version !== undefined) return { name, version };
  }
  return { name: UNKNOWN, version: UNKNOWN };
}

/** Names the operating system. */
export function operatingSystem(values: HighEntropyValues, agent: string): string {
  if (values.platform) return `${values.platform} ${values.platformVersion ?? ""}`.trim();
  const apple = /(?:iPhone|CPU) OS ([\d_]+)/.exec(agent)?.[1];
  if (apple !== undefined) return `iOS ${apple.replaceAll("_", ".")}`;
  const android = /Android ([\d.]+)/.exec(agent)?.[0];
  const other = /Windows|Mac OS X|CrOS|Linux/.exec(agent)?.[0];
  return android ?? other?.replace("Mac OS X", "macOS") ?? UNKNOWN;
}

/** Names the processor's instructions as other documents do. */
export function machine(values: HighEntropyValues, agent: string): string {
  const known = `${values.architecture ?? ""}_${values.bitness ?? ""}`;
  if (known === "x86_64") return "x86_64";
  if (known === "arm_64" || /aarch64|arm64|iPhone|iPad/i.test(agent)) return "arm64";
  return /x86_64|Win64/i.test(agent) ? "x86_64" : UNKNOWN;
}
