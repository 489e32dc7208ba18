"use strict";
// Everything here is a help: without it the report still says all that it has to say.
(() => {
  document.documentElement.classList.add("live");

  const clock = (s) => {
    const tenths = Math.round(s * 10);
    const seconds = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
    return `${Math.floor(tenths / 600)}:${seconds}.${tenths % 10}`;
  };
  const hex = async (data) => {
    const digest = await crypto.subtle.digest("SHA-256", data);
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

  function setUp(file) {
    const seek = file.querySelector(".seek");
    const player = file.querySelector(".player");
    const readout = file.querySelector(".readout");
    const points = JSON.parse(seek?.dataset.points ?? "[]");
    const names = JSON.parse(seek?.dataset.names ?? "[]");
    const endS = Number(seek?.dataset.end ?? 0);
    let media = file.querySelector(".player video, .player audio");
    let nowS = 0;

    function scoresAt(s) {
      const row = points.find(([start, end]) => s >= start && s < end) ?? null;
      if (row === null) return "nothing judged";
      return names.map((name, i) => (row[i + 2] === null ? "" : `${name} ${row[i + 2].toFixed(2)}`)).filter(Boolean).join(", ") || "nothing judged";
    }
    function show(s) {
      nowS = Math.min(Math.max(s, 0), endS || s);
      if (!seek) return;
      const words = scoresAt(nowS);
      seek.querySelector(".cursor").style.left = `${(100 * nowS) / endS}%`;
      seek.setAttribute("aria-valuenow", nowS.toFixed(1));
      seek.setAttribute("aria-valuetext", `${clock(nowS)}, ${words}`);
      readout.textContent = `${clock(nowS)}: ${words}`;
    }
    function go(s) {
      show(s);
      if (media && media.readyState > 0) media.currentTime = nowS;
    }
    function follow(element) {
      media = element;
      const tick = () => {
        show(media.currentTime);
        if (!media.paused) requestAnimationFrame(tick);
      };
      media.addEventListener("play", tick);
      media.addEventListener("timeupdate", () => show(media.currentTime));
      media.addEventListener("loadedmetadata", () => nowS && (media.currentTime = nowS));
      media.addEventListener("error", () => {
        say("This browser cannot play the file. The timeline can be used without it.");
      });
    }
    function say(words) {
      player.querySelector(".said").textContent = words;
    }

    if (media) {
      // A data address cannot be sought in by every browser; a blob can.
      const [head, body] = media.getAttribute("src").split(",", 2);
      const url = URL.createObjectURL(new Blob([bytesOf(body)], { type: head.slice(5).split(";")[0] }));
      follow(media);
      media.src = url;
    }
    player?.querySelector("input[type=file]")?.addEventListener("change", async (event) => {
      const [chosen] = event.target.files;
      if (!chosen) return;
      if (media) {
        URL.revokeObjectURL(media.src);
        media.remove();
      }
      const element = document.createElement(player.dataset.tag);
      element.controls = true;
      element.setAttribute("aria-label", player.dataset.label);
      element.src = URL.createObjectURL(chosen);
      player.prepend(element);
      follow(element);
      if (!window.crypto?.subtle || chosen.size > 1e9) {
        say("Whether this is the file that was scored could not be checked here: compare its SHA-256 with that below.");
        return;
      }
      say("Checking whether this is the file that was scored …");
      const same = (await hex(await chosen.arrayBuffer())) === player.dataset.sha256;
      say(same ? "This is the file that was scored: its SHA-256 is the same." : "This is not the file that was scored: its SHA-256 differs.");
    });

    if (seek) {
      const at = (event) => {
        const box = seek.getBoundingClientRect();
        return (endS * (event.clientX - box.left)) / box.width;
      };
      seek.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        seek.setPointerCapture(event.pointerId);
        go(at(event));
      });
      seek.addEventListener("pointermove", (event) => {
        if (seek.hasPointerCapture(event.pointerId)) go(at(event));
      });
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
      seek.addEventListener("keydown", (event) => {
        if (event.key in steps) go(nowS + steps[event.key]);
        else if (event.key === "Home") go(0);
        else if (event.key === "End") go(endS);
        else if (event.key === " " && media) media.paused ? media.play() : media.pause();
        else return;
        event.preventDefault();
      });
      show(0);
    }
    for (const button of file.querySelectorAll("button.goto")) {
      if (!seek) continue;
      button.disabled = false;
      button.addEventListener("click", () => {
        go(Number(button.dataset.at));
        file.querySelector(".timeline").scrollIntoView({ block: "nearest" });
      });
    }
  }
  for (const file of document.querySelectorAll("article.file")) setUp(file);

  async function recordBytes() {
    const packed = bytesOf(document.getElementById("results").textContent.trim());
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(plain).arrayBuffer();
  }
  const checked = document.getElementById("checked");
  document.getElementById("save").addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await recordBytes()], { type: "application/json" }));
    link.download = "results.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  document.getElementById("check").addEventListener("click", async () => {
    if (!window.crypto?.subtle) {
      checked.textContent = "This browser does not compute SHA-256 here. Save results.json and use sha256sum.";
      return;
    }
    const data = await recordBytes();
    const same = (await hex(data)) === document.getElementById("record-sha256").textContent;
    const text = new TextDecoder().decode(data);
    const pictures = [...document.images];
    const digests = await Promise.all(pictures.map((image) => hex(bytesOf(image.src.split(",", 2)[1]))));
    const strange = digests.filter((digest) => !text.includes(digest)).length;
    checked.textContent =
      same && !strange
        ? `They match: results.json and ${pictures.length === 1 ? "the one picture" : `all ${pictures.length} pictures`} of this report are those that were recorded.`
        : `Changed: ${same ? "" : "results.json is not the one recorded. "}${strange ? `${strange} of ${pictures.length} pictures are not those recorded.` : ""}`;
  });
})();
