// Browsers and devices named by what browsers tell.

import { expect, it } from "vitest";
import { browser, machine, operatingSystem } from "../../../pages/bench/machine.js";

const PIXEL =
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1";
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const MAC =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15";

it.each([
  [IPHONE, "Safari 26.1", "iOS 26.1", "arm64"],
  [FIREFOX, "Firefox 145.0", "Linux", "x86_64"],
  [MAC, "Safari 26.1", "macOS", "unknown"],
  [PIXEL, "Chrome 156.0.0.0", "Android 10", "unknown"],
  ["", "unknown unknown", "unknown", "unknown"],
])("reads %s", (agent, name, os, chip) => {
  const found = browser({}, agent);
  expect(`${found.name} ${found.version}`).toBe(name);
  expect(operatingSystem({}, agent)).toBe(os);
  expect(machine({}, agent)).toBe(chip);
});

it("believes the brands before the agent, and not the one that is made up", () => {
  const fullVersionList = [
    { brand: "Not)A;Brand", version: "8.0.0.0" },
    { brand: "Chromium", version: "156.0.1.2" },
    { brand: "Google Chrome", version: "156.0.1.3" },
  ];
  const values = {
    fullVersionList,
    platform: "Android",
    platformVersion: "16",
    architecture: "arm",
    bitness: "64",
  };
  expect(browser(values, PIXEL)).toEqual({ name: "Google Chrome", version: "156.0.1.3" });
  expect(operatingSystem(values, PIXEL)).toBe("Android 16");
  expect(machine(values, PIXEL)).toBe("arm64");
});
