// Waiting as long as the server asks (Retry-After of a 429), told second by second.

/** Call `tick(secondsLeft)` now and every second until 0. Returns a function that stops. */
export function countdown(seconds, tick) {
  const end = Date.now() + seconds * 1000;
  const step = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    if (left === 0) clearInterval(timer);
    tick(left);
  };
  const timer = setInterval(step, 1000);
  step();
  return () => clearInterval(timer);
}
