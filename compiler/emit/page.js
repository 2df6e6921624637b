/* page.js: what --emit=html does when it is read: colours C when it is opened, opens what a link leads to, filters and
 * orders kernels. Without it the page shows the same.  SPDX-License-Identifier: MIT */
"use strict";
const all = (selector, from) => [...(from || document).querySelectorAll(selector)];

/* ---- C */
const words = new Set(("break case const continue default do else enum extern for goto if inline return sizeof static struct " +
    "switch typedef void while int unsigned char float double long short signed real vec mask ints uint32_t int32_t uint8_t " +
    "size_t INLINE NOINLINE ALIGNED").split(" "));
const parts = /(\/\*[^]*?\*\/)|("(?:[^"\\]|\\.)*")|\b(\d[\w.]*)|\b([A-Za-z_]\w*)(?=(\s*\()?)/g;
function colour(pre) {
    const text = pre.textContent, out = document.createDocumentFragment();
    let done = 0;
    for (const m of text.matchAll(parts)) {
        const kind = m[1] ? "c" : m[2] ? "s" : m[3] ? "n" : words.has(m[4]) ? "k" : m[5] ? "f" : "";
        if (!kind) continue;
        out.append(text.slice(done, m.index));
        const i = document.createElement("i");
        i.className = kind;
        i.textContent = m[0];
        out.append(i);
        done = m.index + m[0].length;
    }
    out.append(text.slice(done));
    pre.replaceChildren(out);
}
document.addEventListener("toggle", e => {
    if (!e.target.open) return;
    for (const pre of all(":scope > pre.c:not(.done)", e.target)) {
        pre.classList.add("done");
        colour(pre);
    }
}, true);

/* ---- links open what they lead to */
function reveal() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.classList.contains("inner")) show_inner(true);
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.classList.remove("hidden");
    target.scrollIntoView({ block: target.classList.contains("l") ? "center" : "start" });
}
addEventListener("hashchange", reveal);

/* ---- layers */
const box = document.getElementById("inner");
function show_inner(on) {
    document.getElementById("layer-table").classList.toggle("all", on);
    if (box) box.checked = on;
}
if (box) box.addEventListener("change", () => show_inner(box.checked));

/* ---- kernels */
for (const program of all(".program")) {
    const kernels = all(".k", program), list = program.querySelector(".list"), search = program.querySelector("input");
    search.addEventListener("input", () => {
        const want = search.value.toLowerCase();
        for (const k of kernels) {
            k.text ||= (k.querySelector(".nm").textContent + " " + k.querySelector(".eq").textContent).toLowerCase();
            k.classList.toggle("hidden", !k.text.includes(want));
        }
    });
    for (const button of all("[data-by]", program))
        button.addEventListener("click", () => {
            const by = button.dataset.by, sign = by === "i" ? 1 : -1;
            for (const other of all("[data-by]", program)) other.classList.toggle("on", other === button);
            list.append(...[...kernels].sort((a, b) => sign * (a.dataset[by] - b.dataset[by]) || a.dataset.i - b.dataset.i));
        });
}

/* ---- light and dark */
document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
});
reveal();
document.documentElement.dataset.ready = "yes";
