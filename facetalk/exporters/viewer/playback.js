/** The time that is shown: it runs with the audio where there is any, else with the clock. */

import {bytesOf} from "./unpack.js";

const MOST_DRIFT_S = 0.08;
const STALLED_MS = 600;
/** Audio that stands still for so long is not waited for, as where a computer has no sound. */

export class Playback {
  constructor(audio) {
    this.sources = audio;
    this.elements = new Map();
    Object.assign(this, {time: 0, duration: 0, rate: 1, loop: true, muted: false, playing: false, audio: null});
  }

  /** Choose which of the page's recordings is heard; null for none. */
  listen(index) {
    const before = this.audio;
    this.audio = index === null ? null : this.element(index);
    if (before === this.audio) return;
    before?.pause();
    this.apply();
    this.seek(this.time);
  }

  element(index) {
    if (!this.elements.has(index)) {
      const blob = new Blob([bytesOf(this.sources[index])], {type: "audio/mp4"});
      this.elements.set(index, Object.assign(new Audio(URL.createObjectURL(blob)), {preservesPitch: true}));
    }
    return this.elements.get(index);
  }

  play() {
    if (this.time >= this.duration - 1e-3) this.time = 0;
    this.playing = true;
    Object.assign(this, {last: undefined, heard: undefined});
    this.seek(this.time);
  }

  pause() {
    this.playing = false;
    this.audio?.pause();
  }

  seek(time) {
    this.time = Math.max(0, Math.min(this.duration, time));
    if (!this.audio) return;
    this.audio.currentTime = this.time;
    if (this.playing) this.audio.play().catch(() => {}); // silent where a browser forbids sound
  }

  set(changes) {
    Object.assign(this, changes);
    this.apply();
  }

  apply() {
    if (this.audio) Object.assign(this.audio, {playbackRate: this.rate, muted: this.muted});
  }

  /** Advance to now, in milliseconds. */
  tick(now) {
    if (!this.playing) return;
    this.time += (now - (this.last ?? now)) / 1000 * this.rate;
    this.last = now;
    if (this.isHeard(now)) {
      const drift = this.audio.currentTime - this.time;
      this.time += Math.abs(drift) > MOST_DRIFT_S ? drift : 0.1 * drift;
    }
    if (this.time < this.duration) return;
    if (this.loop) this.seek(0);
    else {
      this.time = this.duration;
      this.pause();
    }
  }

  isHeard(now) {
    const {audio} = this;
    if (!audio || audio.paused || audio.ended) return false;
    if (audio.currentTime !== this.heard) Object.assign(this, {heard: audio.currentTime, heardAt: now});
    return now - this.heardAt < STALLED_MS;
  }
}
