// One utterance over the websocket that Artillery has opened, the same as bench/c_loop.c: config, frames at microphone
// pace, {"eof" : 1}, the answer. Artillery's own `send` knows no binary frames, so the socket below it is used.
const FRAME_MS = 100;
const FRAMES = 70;
const frame = Buffer.from(Array.from({ length: 32 * FRAME_MS }, (_, at) => (7 * at) % 256));

module.exports = { speak };

function speak(context, events, done) {
  const socket = context.ws;
  socket.once("message", () => done());
  socket.send('{"config": {"sample_rate": 16000}}');
  let sent = 0;
  const timer = setInterval(() => {
    socket.send(frame);
    sent += 1;
    if (sent === FRAMES) {
      clearInterval(timer);
      socket.send('{"eof" : 1}');
    }
  }, FRAME_MS);
}
