/**
 * Preloaded into a process with `node --import`: its clock is wrong by `CHAOS_SKEW_MS` during every other second, so that
 * it also jumps in both directions.
 */
const SKEW_MS = Number(process.env["CHAOS_SKEW_MS"] ?? 0);
const RealDate = Date;

const skewedNow = (): number => {
  const now = RealDate.now();
  return Math.floor(now / 1_000) % 2 === 0 ? now + SKEW_MS : now;
};

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: ReadonlyArray<unknown>, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [skewedNow()] : [...args], newTarget) as Date,
  apply: () => new RealDate(skewedNow()).toString(),
  get: (target, key, receiver) =>
    key === "now" ? skewedNow : (Reflect.get(target, key, receiver) as unknown),
});
