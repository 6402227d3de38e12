// Callers for k6 (https://k6.io): `k6 run -e URL=ws://127.0.0.1:PORT/ -e CALLERS=500 -e SECONDS=20 bench/others/k6.js`.
// The same utterances as bench/c_loop.c: config, frames at microphone pace, {"eof" : 1}, the answer, close, dial anew.
// setInterval keeps the pace: k6 has no sleep to an absolute moment inside a websocket.
import { WebSocket } from "k6/experimental/websockets";

const FRAME_MS = 100;
const FRAMES = 70;
const frame = new Uint8Array(32 * FRAME_MS).map((_, at) => (7 * at) % 256).buffer;

export const options = {
  vus: Number(__ENV.CALLERS),
  duration: `${__ENV.SECONDS}s`,
  gracefulStop: "0s",
};

export default function () {
  const socket = new WebSocket(__ENV.URL);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => {
    socket.send('{"config": {"sample_rate": 16000}}');
    let sent = 0;
    // No lock-step: callers begin within a clip's length the first time, within a frame later.
    const wait = __ITER === 0 ? FRAMES * FRAME_MS : FRAME_MS;
    setTimeout(() => {
      const timer = setInterval(() => {
        socket.send(frame);
        sent += 1;
        if (sent === FRAMES) {
          clearInterval(timer);
          socket.send('{"eof" : 1}');
        }
      }, FRAME_MS);
    }, Math.random() * wait);
  });
  socket.addEventListener("message", () => socket.close());
}
