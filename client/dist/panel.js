function n(n){}export{n as show};
