{
  image: {
    repository: 'bak.example/m/library_nginx',
    tag: '1.25',  // upgraded by a bot
  },
}
