// What every page has: light or dark, as the system has it or as the reader chose.
"use strict";

const byId = (id) => document.getElementById(id);
const THEMES = ["auto", "light", "dark"];

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `theme: ${name}`;
  try {
    localStorage.setItem("simbbm-theme", name);
  } catch {
    // A browser may keep nothing for a file.
  }
}

function nextTheme() {
  theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
}

function rememberedTheme() {
  try {
    const name = localStorage.getItem("simbbm-theme");
    return THEMES.includes(name) ? name : "auto";
  } catch {
    return "auto";
  }
}

byId("theme").addEventListener("click", nextTheme);
theme(rememberedTheme());
